"""The console script `target-pipelines`, also as `python -m target_pipelines`."""

from program_kit.startup import start


def main() -> None:
    """Run the program."""
    start("target_pipelines.command_line")


if __name__ == "__main__":
    main()
