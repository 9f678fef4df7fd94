"""One run of the target: configuration, pipeline, workers, signals."""
