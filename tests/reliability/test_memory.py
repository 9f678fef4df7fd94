from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.sink import running_sink
from tests.packaging.conftest import ROOT
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_rows(tmp_path):
    """2,000,000 records need as much memory as 100,000: the target stops reading instead."""
    with running_sink() as url:
        few = _peak_megabytes(100_000, tmp_path, url)
        many = _peak_megabytes(2_000_000, tmp_path, url)

    assert many < few * 1.1
