"""target-pipelines: Singer messages as calls to customer-data APIs."""
