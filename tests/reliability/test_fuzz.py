"""Fuzzing; RELIABILITY_CASES is the number of inputs of each kind, 100,000 in `make soak`."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings

from tap_mssql_query.sql.template import render_query
from target_pipelines.api.errors import ConfigurationError
from target_pipelines.destinations.responses import parse_retry_after
from target_pipelines.run.configuration import load_configuration
from tests.reliability import fuzz_checks
from tests.reliability.counts import case_count
from tests.reliability.fuzz_checks import NAMES, TargetInput, all_inputs
from tests.reliability.fuzz_inputs import RETRY_AFTERS, SECRET
from tests.reliability.fuzzing import inputs_of, try_inputs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(case_count(120, 7200))
FUZZ = settings(
    max_examples=case_count(150, 100_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder for the files that the target writes."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_any_input_ends_in_a_documented_way(folder, name):
    """Any input is accepted, or refused with a message without a secret."""
    kind = all_inputs(folder)[name]

    FUZZ(given(kind.strategy)(kind.check))()


@pytest.mark.parametrize("name", NAMES)
def test_varied_inputs_end_in_a_documented_way(name):
    """The same holds for the variations of inputs that a soak makes."""
    assert try_inputs(name, 200, 1) == []


_SCHEMA = json.dumps(
    {
        "type": "SCHEMA",
        "stream": "a",
        "key_properties": [],
        "schema": {"properties": {}, "x-call-type": "identify", "x-last-sync-time": 0},
    }
)
_RECORD_WITHOUT_SCHEMA = '{"type": "RECORD", "stream": "%s", "record": {}}'
FOUND: list[tuple[str, Any]] = [
    ("JSON columns", ["1e9999999999999999999"]),
    ("JSON columns", ['{"a": [-2.5E-9999999999999999999]}']),
    *(
        ("lines on stdin", f"{_SCHEMA}\n{line}\n".encode())
        for line in (
            '{"type": "RECORD", "stream": "a", "record": {"x": 1e9999999999999999999}}',
            '{"type": "STATE", "value": 1e9999999999999999999}',
            '{"type": "RECORD", "stream": "a", "record": null}',
            '{"type": "RECORD", "stream": "a", "record": [1]}',
            (
                '{"type": "STATE", "value": {}}\n'
                f"{_RECORD_WITHOUT_SCHEMA % 'b'}\n{_RECORD_WITHOUT_SCHEMA % 'c'}"
            ),
        )
    ),
    (
        "configurations of the target",
        {"destinations": [{"destination": "x/"}, {"destination": "file"}]},
    ),
]
"""Inputs that soaks have found to fail."""


@pytest.mark.parametrize(("name", "value"), FOUND, ids=str)
def test_input_that_once_failed_ends_in_a_documented_way(folder, name, value):
    """Every input that ever crashed a program is checked each time."""
    all_inputs(folder)[name].check(value)


def test_fuzzing_reaches_the_mapping(folder):
    """The call types are loaded, so that inputs do not just fail for want of one."""
    plugins = TargetInput(folder).configuration.plugins

    assert {"identify", "track"} <= set(plugins.call_types.names())


def test_same_seed_gives_the_same_inputs():
    """An input that failed can be generated again."""
    first, again, other = (list(inputs_of(RETRY_AFTERS, 1000, seed)) for seed in (1, 1, 2))

    assert first == again != other
    assert len(first) == 1000


@pytest.mark.parametrize(
    "broken", [lambda value, _: float(value), lambda *_: 301.0], ids=["crash", "unbounded"]
)
def test_broken_promise_is_noticed(code, broken):
    """A crash and a wait that is too long are reported with their input."""
    code.replace(fuzz_checks, parse_retry_after, broken)

    assert len(try_inputs("Retry-After", 20, 1)) > 5


def test_hang_is_noticed(code):
    """A check that takes too long is reported as well."""
    code.replace(fuzz_checks, render_query, lambda *_: threading.Event().wait(60))

    problems = try_inputs("query templates", 1, 1, hang_seconds=1)

    assert [problem.partition(":")[0] for problem in problems] == ["TimeoutError"]


def test_shown_secret_is_noticed(code):
    """A message that quotes the value of a secret fails the check."""
    error = ConfigurationError(f"Setting `write_key`: {SECRET} is wrong.")
    code.replace(fuzz_checks, load_configuration, mock.Mock(side_effect=error))

    with pytest.raises(AssertionError):
        fuzz_checks.check_target_configuration({"write_key": SECRET})
