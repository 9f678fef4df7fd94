"""`python -m target_pipelines`: the same as `target-pipelines`."""

from program_kit.command_line import target

target()
