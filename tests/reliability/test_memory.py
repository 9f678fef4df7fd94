from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sink import running_sink
from sandbox.sql_server.server import SqlServer
from tests.front_door.conftest import PASSWORD, create_users, sync
from tests.packaging.conftest import ROOT
from tests.tap.conftest import TAP
from tests.target.conftest import TARGET

RECORDS = """
import sys
write = sys.stdout.write
write('{"type":"SCHEMA","stream":"s","schema":{"properties":{},"x-call-type":"identify"}}\\n')
line = '{"type":"RECORD","stream":"s","record":{"userId":%d,"email":"user%d@example.com",'
line += '"fname":"Zo\\u00eb","city":"Berlin","active":true,"total":12.34}}\\n'
for number in range(int(sys.argv[1])):
    write(line % (number, number))
"""


def _peak_megabytes(records: int, folder, url: str) -> float:
    """Peak memory of a run over `records` records, to an API at 60 requests a second."""
    config = {"destination": "customerio", "endpoint": url, "write_key": "k"}
    path = folder / "target.json"
    path.write_text(json.dumps({**config, "requests_per_second": 60}))
    command = [sys.executable, "-c", RECORDS, str(records)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as source:
        target = subprocess.Popen(
            [TARGET, "--config", path], stdin=source.stdout, cwd=folder, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(target.pid, 0)
        target.returncode = os.waitstatus_to_exitcode(status)
    assert target.returncode == 0
    return usage.ru_maxrss / 1024


LONG_VALUES = {  # each with one reader, to save time
    "arrow": "n < 300",
    "odbc": "n >= 20000 AND n < 20300",
}


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "condition"), LONG_VALUES.items())
def test_long_values_need_bounded_memory(tmp_path, numbers, reader, condition):
    """300 rows of 1 MB, first or after many small ones: the tap fetches few rows at once.

    Their column states no length. Without a bound, 800 rows first took 2.1 GB, 300 later 0.9 GB.
    """
    query = (
        f"SELECT n AS id, REPLICATE(CAST('x' AS varchar(max)), CASE WHEN {condition} "
        "THEN 1000000 ELSE 1 END) AS v FROM numbers ORDER BY n"
    )
    config = {**numbers, "reader": reader, "syncs": [{**sync(), "query": query}]}
    (tmp_path / "tap.json").write_text(json.dumps(config))
    peak = 0.0
    with subprocess.Popen(
        [TAP, "--config", "tap.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as tap:
        assert tap.stdout
        while tap.stdout.read(1024 * 1024):
            peak = max(peak, _peak_so_far(tap.pid))

    assert tap.returncode == 0
    assert 0 < peak < 600


def _peak_so_far(process_id: int) -> float:
    """Peak memory of a running program in MB; that of `wait4` includes the parent's at the fork."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@pytest.fixture(scope="module")
def numbers():
    """The tap's settings for a server with a table of numbers."""
    engine = create_users()
    engine.run("shop", "CREATE TABLE numbers (n int)")
    for start in range(0, 21_000, 1000):
        rows = ", ".join(f"({n})" for n in range(start, start + 1000))
        engine.run("shop", f"INSERT INTO numbers VALUES {rows}")
    with SqlServer(engine) as server:
        yield {
            "host": "127.0.0.1",
            "port": server.port,
            "database": "shop",
            "username": "reader",
            "password": PASSWORD,
            "encrypt": "no",
        }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_rows(tmp_path):
    """300,000 records need as much memory as 100,000: the target stops reading instead."""
    with running_sink() as url:
        few = _peak_megabytes(100_000, tmp_path, url)
        many = _peak_megabytes(300_000, tmp_path, url)

    assert many < few * 1.1
