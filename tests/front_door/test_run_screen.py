"""The screen at the end of a run, and the one while it goes on."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from rich.console import Console

from mssql_reverse_etl.log import JSON, LOGFMT, TEXT, configure_log, split_fields
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.results.summary import Summary
from mssql_reverse_etl.screens.live import LiveRun
from mssql_reverse_etl.screens.run import Commands, show_run
from tests.front_door.snapshots import assert_screen


@pytest.fixture(autouse=True)
def log():
    """The log of other tests comes back after each."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def _tap_entry(rows: int, seconds: float = 0.2, outcome: str = "read") -> dict[str, Any]:
    return {"outcome": outcome, "rows": rows, "seconds": seconds}


def _stream(delivered: int, **rejected: int) -> dict[str, Any]:
    return {
        "delivered": delivered,
        "rejected": sum(rejected.values()),
        "rejected_by_reason": {f"The call lacks `{name}`.": n for name, n in rejected.items()},
        "rejected_by_kind": {"query": sum(rejected.values())} if rejected else {},
    }


def _summary(
    tap: dict[str, Any], target: dict[str, Any], **results: SyncResult | SyncOutcome
) -> Summary:
    summary = Summary()
    destinations = all(name.startswith("to_") for name in target) and bool(target)
    summary.add(
        {"syncs": tap},
        {"destinations": {name.removeprefix("to_"): {"streams": s} for name, s in target.items()}}
        if destinations
        else {"streams": target},
    )
    for name in tap:
        summary.set_result(name, SyncResult(SyncOutcome.DELIVERED))
    for name, result in results.items():
        summary.set_result(name, result if isinstance(result, SyncResult) else SyncResult(result))
    return summary


def _shown(capsys, monkeypatch, summary: Summary, columns: int = 80, **options: Any) -> str:
    """The screen on a terminal of this width, without its colours."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    show_run(summary, Commands(), **{"seconds": 2.04, **options})
    return re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)


TAP = {"users": _tap_entry(1200), "events": _tap_entry(2400, 63.0), "pages": _tap_entry(0)}
TARGET = {"users": _stream(1200), "events": _stream(2397, event=2, userId=1)}
DATABASE_DOWN = SyncResult(
    SyncOutcome.FAILED,
    "Cannot connect to db.example.com,1433. Nothing listens on this port. Check `host`, `port` and "
    "the firewall.",
)
SCREENS = {
    "run": _summary(TAP, TARGET),
    "run-failed": _summary(
        {**TAP, "orders": _tap_entry(0), "companies": _tap_entry(10)},
        {**TARGET, "companies": _stream(10)},
        orders=DATABASE_DOWN,
        invoices=DATABASE_DOWN,
        users=SyncOutcome.NOT_DUE,
        pages=SyncResult(SyncOutcome.LOCKED, "Another run of it is in progress."),
    ),
    "run-destinations": _summary(
        {"users": _tap_entry(1200)},
        {"to_crm": {"users": _stream(1200)}, "to_warehouse": {"users": _stream(1199, email=1)}},
    ),
    "run-nothing-due": _summary(
        {"users": _tap_entry(0), "events": _tap_entry(0)},
        {},
        users=SyncOutcome.NOT_DUE,
        events=SyncOutcome.NOT_DUE,
    ),
    "run-nothing-new": _summary({"pages": _tap_entry(0)}, {}),
    "run-interrupted": _summary({"users": _tap_entry(1200)}, {"users": _stream(400)},
        users=SyncResult(SyncOutcome.INTERRUPTED, "Not all of its rows were settled.")),
}  # fmt: skip
ENDINGS = {
    "run-interrupted": "Interrupted by SIGINT (Ctrl-C). The next run continues from the last state."
}


@pytest.mark.parametrize("name", SCREENS)
def test_screen_is_as_it_was_looked_at(capsys, monkeypatch, name):
    """A table with failures first, what to do, and one sentence."""
    ending = ENDINGS.get(name, "")

    assert_screen(name, _shown(capsys, monkeypatch, SCREENS[name], ending=ending))


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("name", SCREENS)
def test_screen_fits_into_the_terminal(capsys, monkeypatch, name, columns):
    """No line is longer than the terminal is wide."""
    text = _shown(capsys, monkeypatch, SCREENS[name], columns)

    assert max(len(line.rstrip()) for line in text.splitlines()) <= columns


def test_pipe_gets_plain_lines(capsys, monkeypatch):
    """Without a terminal there are no colours, and no line is wrapped."""
    monkeypatch.delenv("COLUMNS", raising=False)
    show_run(SCREENS["run-failed"], Commands(), seconds=2.04)

    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert any(DATABASE_DOWN.message in line for line in text.splitlines())


def test_programs_get_json_alone(capsys):
    """With --log-format json there is no table: one object per line, with numbers as numbers."""
    configure_log(JSON)

    show_run(SCREENS["run"], Commands(), seconds=2.04)

    output, log = capsys.readouterr()
    *syncs, end = map(json.loads, log.splitlines())
    assert output == ""
    assert {entry["sync"]: entry["delivered"] for entry in syncs} == {
        "users": 1200, "events": 2397, "pages": 0,
    }  # fmt: skip
    assert (end["message"], end["delivered"], end["rejected"]) == ("run ended", 3597, 3)


def test_logfmt_quotes_what_needs_it(capsys):
    """The fields at the beginning of a message are fields of the line."""
    configure_log(LOGFMT)

    logging.getLogger("test").error('sync=users failed: the column "x" = 1')

    line = capsys.readouterr().err
    assert line.endswith('level=error sync=users message="failed: the column \\"x\\" = 1"\n')
    assert line.startswith("time=")


def test_terminal_shows_warnings_without_prefix(capsys):
    """Neither names of loggers nor what the table says anyway."""
    configure_log(TEXT)
    logger = logging.getLogger("tap-mssql-query.users")

    logger.info("sync=users type=identify rows=3")
    logger.warning("sync=users: its query has changed.")
    logger.error("sync=users failed: no.", extra={"is_outcome": True})

    assert capsys.readouterr().err == "warning users: its query has changed.\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("sync=users failed: x", ({"sync": "users"}, "failed: x")),
        ("sync=users: a=1 is odd", ({"sync": "users", "a": "1"}, "is odd")),
        ("rows=1 seconds=0.5", ({"rows": "1", "seconds": "0.5"}, "")),
        ("Cannot connect: host=x", ({}, "Cannot connect: host=x")),
    ],
)
def test_fields_begin_a_message(message, expected):
    """Only what stands at the beginning is a field."""
    assert split_fields(message) == expected


def test_live_display_counts_rows_and_time_left():
    """What was read and settled, how fast, and what is left of a known total."""
    now = [0.0]
    run = LiveRun(lambda: now[0])
    run.note({"sync": "users", "rows": 500, "total": 2000})
    now[0] = 2.0
    streams = {"users": {"read": 500, "delivered": 390, "rejected": 10, "filtered": 0}}
    run.note({"streams": streams, "retries": 3})

    console = Console(width=80)
    with console.capture() as capture:
        console.print(run.render())

    assert_screen("live", capture.get())
