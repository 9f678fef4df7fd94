"""The tap with another target, and the target with another tap, each installed from PyPI."""

from __future__ import annotations

import json
import os
import shlex
import struct
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.shop import DATABASE
from sandbox.shop.creation import create_empty_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.end_to_end.conftest import PROGRAMS, START
from tests.package_index import uv_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # it installs packages from an index
TARGET_JSONL = ("target-jsonl==0.1.4", "singer-python==5.8.0", "simplejson==3.11.1")
TAP_DBF = ("tap-dbf==0.1.25", "singer-sdk==0.53.7", "dbfread==2.0.7")


def _install(folder: Path, *packages: str) -> Path:
    """Install packages into a new virtual environment; the folder of its programs."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = folder / "bin" / "python"
    for command in (
        ["venv", "--python", sys.executable, folder],
        ["pip", "install", "--python", python, *packages],
    ):
        subprocess.run([*uv, *map(str, command)], env=uv_environment(), check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def target_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program target-jsonl: one file per stream, a row per line."""
    return _install(tmp_path_factory.mktemp("target-jsonl"), *TARGET_JSONL) / "target-jsonl"


@pytest.fixture(scope="module")
def tap_dbf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program tap-dbf: the rows of dBase files, by Meltano's SDK."""
    return _install(tmp_path_factory.mktemp("tap-dbf"), *TAP_DBF) / "tap-dbf"


@dataclass(frozen=True)
class _Piped:
    exit_code: int
    output: str
    log: str

    @property
    def last_state(self) -> Any:
        return json.loads(self.output.splitlines()[-1])


def _pipe(folder: Path, *commands: Sequence[str | Path]) -> _Piped:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", " | ".join(shlex.join(map(str, c)) for c in commands)],
        cwd=folder,
        env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return _Piped(done.returncode, done.stdout, done.stderr)


# Our tap, another target

ORDERS = """
CREATE TABLE orders (
    id int, price decimal(18, 4), tax float, placed datetime2(3), shipped datetimeoffset(0),
    due date, gift bit, note nvarchar(50), updated bigint
);
INSERT INTO orders VALUES
    (1, 12.3400, 0.1, '2026-01-02 03:04:05.678', '2026-01-02 03:04:05 +02:00', '2026-02-01', 1,
     N'Zoë, "so"', 10),
    (2, 98765432109876.5432, 2.5, '1999-12-31 23:59:59.999', NULL, NULL, 0, NULL, 10),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, N'', 10);
"""
FIRST = {
    "id": 1,
    "price": "12.3400",
    "tax": "0.1",
    "placed": "2026-01-02T03:04:05.678000Z",
    "shipped": "2026-01-02T01:04:05Z",
    "due": "2026-02-01",
    "gift": True,
    "note": 'Zoë, "so"',
}
ROWS = [
    tuple(FIRST.values()),
    (2, "98765432109876.5432", "2.5", "1999-12-31T23:59:59.999000Z", None, None, False, None),
    (3, None, None, None, None, None, None, ""),
]
ORDERS_SYNC = {
    "name": "orders",
    "type": "identify",
    "query": f"SELECT {', '.join(FIRST)} FROM orders WHERE updated >= {{{{last_sync_time}}}}",
}


@pytest.fixture
def engine(clock) -> DuckDBEngine:
    """The shop with a table of all types whose values could change on the way."""
    engine = DuckDBEngine(clock=clock)
    create_empty_shop(engine)
    engine.run(DATABASE, ORDERS)
    return engine


@pytest.fixture
def run_into_jsonl(tmp_path, tap_config, target_jsonl):
    """Runs our tap into target-jsonl with options."""
    tap = {**tap_config, "syncs": [ORDERS_SYNC]}
    (tmp_path / "tap.json").write_text(json.dumps(tap))
    (tmp_path / "jsonl.json").write_text(
        json.dumps({"destination_path": "rows", "do_timestamp_file": False})
    )
    tap_command = ["tap-mssql-query", "--config", "tap.json"]
    target_command = [target_jsonl, "--config", "jsonl.json"]
    return lambda *options: _pipe(tmp_path, [*tap_command, *options], target_command)


def _read_rows(folder: Path) -> list[tuple[Any, ...]]:
    """The rows that target-jsonl wrote; numbers with a decimal point as text."""
    lines = (folder / "rows" / "orders.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_float=str) for line in lines]
    return [tuple(row[name] for name in FIRST) for row in rows]


def test_target_jsonl_gets_the_rows_of_the_server(run_into_jsonl, tmp_path):
    """Decimals with all digits, times, dates, booleans, text and NULL arrive unchanged."""
    run = run_into_jsonl()

    assert run.exit_code == 0, run.log
    assert _read_rows(tmp_path) == ROWS
    bookmark = run.last_state["bookmarks"]["orders"]
    assert bookmark["last_sync_time"] == int(START.timestamp())


def test_next_run_starts_from_the_state_of_target_jsonl(run_into_jsonl, tmp_path, engine, clock):
    """The second run reads only the row that changed."""
    (tmp_path / "state.json").write_text(json.dumps(run_into_jsonl().last_state))
    (tmp_path / "rows" / "orders.jsonl").unlink()
    stamp = int((START + timedelta(minutes=1)).timestamp())
    engine.run(DATABASE, f"UPDATE orders SET price = 7.5, updated = {stamp} WHERE id = 3")
    clock.now += timedelta(minutes=2)

    run = run_into_jsonl("--state", "state.json")

    assert run.exit_code == 0, run.log
    assert [(row[0], Decimal(row[1])) for row in _read_rows(tmp_path)] == [(3, Decimal("7.5"))]


# Another tap, our target

FIELDS = (
    ("USERID", "N", 9, 0),
    ("FNAME", "C", 20, 0),
    ("PRICE", "N", 13, 2),
    ("SINCE", "D", 8, 0),
    ("TRIAL", "L", 1, 0),
)
ROWS_OF_PEOPLE = (
    ("7", "Zoë", "19.95", "20260102", "T"),
    ("8", "", "", "", "?"),
    ("123456789", 'a, "b"', "1234567890.01", "20251231", "F"),
)
TRAITS = ("FNAME", "PRICE", "SINCE", "TRIAL")
CALLS = [
    ("7", dict(zip(TRAITS, ("Zoë", 19.95, "2026-01-02", True), strict=True))),
    ("8", {"FNAME": ""}),
    ("123456789", dict(zip(TRAITS, ('a, "b"', 1234567890.01, "2025-12-31", False), strict=True))),
]


def _write_dbf(path: Path) -> None:
    """A dBase III file in Windows' Western encoding (language driver 3)."""
    head_bytes, row_bytes = 32 + 32 * len(FIELDS) + 1, 1 + sum(size for _, _, size, _ in FIELDS)
    head = struct.pack("<4BIHH17xB2x", 3, 126, 1, 1, len(ROWS_OF_PEOPLE), head_bytes, row_bytes, 3)
    columns = [struct.pack("<11sc4xBB14x", n.encode(), t.encode(), s, d) for n, t, s, d in FIELDS]
    rows = "".join(" " + "".join(map(_pad, FIELDS, person)) for person in ROWS_OF_PEOPLE)
    path.write_bytes(head + b"".join(columns) + b"\r" + rows.encode("cp1252") + b"\x1a")


def _pad(field: tuple[str, str, int, int], value: str) -> str:
    _, kind, size, _ = field
    return value.rjust(size) if kind == "N" else value.ljust(size)


@pytest.fixture
def run_from_dbf(tmp_path, tap_dbf):
    """Runs tap-dbf over a file of people into our target."""
    _write_dbf(tmp_path / "people.dbf")
    (tmp_path / "dbf.json").write_text(json.dumps({"path": f"{tmp_path}/*.dbf"}))

    def run(config: dict[str, Any]) -> _Piped:
        (tmp_path / "target.json").write_text(json.dumps(config))
        ours = ["target-pipelines", "--config", "target.json"]
        return _pipe(tmp_path, [tap_dbf, "--config", "dbf.json"], ours)

    return run


def test_rows_of_another_tap_become_calls(run_from_dbf, target_config, collector):
    """With `call_types` every value of the file arrives, and its STATE is printed."""
    run = run_from_dbf({**target_config, "call_types": {"people": "identify"}})

    assert run.exit_code == 0, run.log
    bodies = [call.body for call in collector.calls]
    assert {body["type"] for body in bodies} == {"identify"}
    assert [(body["userId"], _without_metadata(body["traits"])) for body in bodies] == CALLS
    assert run.last_state == {"bookmarks": {"people": {}}}


def _without_metadata(traits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if not name.startswith("_sdc_")}


def test_stream_without_a_call_type_is_reported(run_from_dbf, target_config, collector):
    """Nothing is sent and no STATE is printed; the message names the stream and the setting."""
    run = run_from_dbf(target_config)

    assert (run.exit_code, run.output, collector.calls) == (2, "", [])
    assert '"people"' in run.log
    assert "call_types" in run.log
