from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

QUERY = (
    "SELECT id, email, last_updated FROM retl_test_users WHERE last_updated >= {{last_sync_time}}"
)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_standard_tests_of_the_sdk_pass(config, reader):
    """singer-sdk's test suite for taps passes."""
    sync = {"name": "users", "type": "identify", "query": QUERY, "key_columns": ["id"]}
    settings = json.dumps({**config, "reader": reader, "syncs": [sync]})
    suite = Path(__file__).with_name("sdk_standard.py")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "--config-file", os.devnull, suite],
        cwd=ROOT,
        env={**os.environ, "STANDARD_TEST_CONFIG": settings, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
