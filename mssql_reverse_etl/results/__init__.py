"""The outcome of each sync in a run or a plan, from the reports of both programs."""
