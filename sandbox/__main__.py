"""`python -m sandbox`: the sandbox's servers, and the demo."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SQL_SERVER_PORT = 14330
COLLECTOR_PORT = 8090


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except OSError as error:
        print(f"sandbox {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    server = commands.add_parser("sql-server", help="a SQL Server with the sample shop")
    server.add_argument("--port", type=int, default=SQL_SERVER_PORT)
    server.set_defaults(run=_serve_sql)

    collector = commands.add_parser("collector", help="a Data Pipelines API that records calls")
    collector.add_argument("--port", type=int, default=COLLECTOR_PORT)
    collector.add_argument("--write-key", default=None, metavar="KEY")
    collector.set_defaults(run=_serve_collector)

    demo = commands.add_parser("demo", help="two runs over the sample shop, as a user starts them")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), metavar="FOLDER")
    demo.add_argument("--picture", type=Path, metavar="FILE", help="an SVG of the terminal")
    demo.set_defaults(run=_run_demo)
    return parser


# Imported inside the functions: each command needs only part of the extra `sandbox`.


def _serve_sql(options: argparse.Namespace) -> int:
    from sandbox.shop import DATABASE, PASSWORD, create_shop  # noqa: PLC0415
    from sandbox.sql_server.engine import DuckDBEngine  # noqa: PLC0415
    from sandbox.sql_server.server import SqlServer  # noqa: PLC0415

    _block_stop_signals()
    engine = DuckDBEngine()
    create_shop(engine)
    with SqlServer(engine, port=options.port) as server:
        print(
            f"sql-server ready at 127.0.0.1:{server.port}, database {DATABASE}, "
            f"logins sa and reader, password {PASSWORD}",
            flush=True,
        )
        _wait_for_stop_signal()
    return 0


def _serve_collector(options: argparse.Namespace) -> int:
    from sandbox.collector import DEFAULT_WRITE_KEY, Collector  # noqa: PLC0415

    _block_stop_signals()
    key = DEFAULT_WRITE_KEY if options.write_key is None else options.write_key
    with Collector(port=options.port, write_key=key) as collector:
        print(f"collector ready at {collector.url}, write key {key}", flush=True)
        _wait_for_stop_signal()
    return 0


def _run_demo(options: argparse.Namespace) -> int:
    from sandbox.demo import run_demo  # noqa: PLC0415

    return run_demo(options.output, options.picture)


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _block_stop_signals() -> None:
    """Keep the signals for `sigwait`; threads that start later inherit the mask."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)


def _wait_for_stop_signal() -> None:
    signal.sigwait(_STOP_SIGNALS)


if __name__ == "__main__":
    sys.exit(main())
