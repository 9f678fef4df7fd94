"""The console script `mssql-reverse-etl`, also as `python -m mssql_reverse_etl`."""

from program_kit.startup import start


def main() -> None:
    """Run the program."""
    start("mssql_reverse_etl.command_line")


if __name__ == "__main__":
    main()
