"""The console script `tap-mssql-query`, also as `python -m tap_mssql_query`."""

from program_kit.startup import start


def main() -> None:
    """Run the program."""
    start("tap_mssql_query.tap")


if __name__ == "__main__":
    main()
