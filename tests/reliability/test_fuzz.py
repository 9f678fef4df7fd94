"""Inputs of every shape: no crash, no hang, no secret in a message, and only documented errors.

RELIABILITY_CASES says how many inputs of each kind; `make soak` takes 100,000.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings

from target_pipelines.api.errors import ConfigurationError
from tests.reliability import fuzz_checks, fuzzing
from tests.reliability.amounts import amount
from tests.reliability.fuzz_checks import NAMES, TargetInput, all_inputs
from tests.reliability.fuzz_inputs import RETRY_AFTERS, SECRET
from tests.reliability.fuzzing import inputs_of, try_inputs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(amount(120, 7200))
FUZZ = settings(
    max_examples=amount(150, 100_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """For what the target writes."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_any_input_ends_in_a_documented_way(folder, name):
    """Whatever comes in is taken, or refused with words that tell no secret."""
    kind = all_inputs(folder)[name]

    FUZZ(given(kind.strategy)(kind.check))()


@pytest.mark.parametrize("name", NAMES)
def test_varied_inputs_end_so_too(name):
    """As above, for what a soak makes of the inputs."""
    assert try_inputs(name, 200, 1) == []


_SCHEMA = json.dumps(
    {
        "type": "SCHEMA",
        "stream": "a",
        "key_properties": [],
        "schema": {"properties": {}, "x-call-type": "identify", "x-last-sync-time": 0},
    }
)
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
        )
    ),
    (
        "configurations of the target",
        {"destinations": [{"destination": "x/"}, {"destination": "file"}]},
    ),
]
"""Inputs that soaks have found."""


@pytest.mark.parametrize(("name", "value"), FOUND, ids=str)
def test_input_that_was_found_ends_so_too(folder, name, value):
    """What crashed once is tried each time."""
    all_inputs(folder)[name].check(value)


def test_fuzz_reaches_what_it_should(folder):
    """The plugins are there, so that mapping is fuzzed rather than a missing call type."""
    plugins = TargetInput(folder).configuration.plugins

    assert {"identify", "track"} <= set(plugins.call_types.names())


def test_inputs_come_again_with_their_seed():
    """An input that broke something can be had again; most are variations."""
    first, again, other = (list(inputs_of(RETRY_AFTERS, 1000, seed)) for seed in (1, 1, 2))

    assert first == again != other
    assert len(first) == 1000


LEAKS = {
    "crash": ("parse_retry_after", lambda value, _: float(value)),
    "unbounded": ("parse_retry_after", lambda *_: 301.0),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_broken_promise_is_noticed(monkeypatch, leak):
    """What crashes, and what waits for too long, is told with its input."""
    monkeypatch.setattr(fuzz_checks, *LEAKS[leak])

    assert len(try_inputs("Retry-After", 20, 1)) > 5


def test_hang_is_noticed(monkeypatch):
    """A check that takes too long is told as well."""
    monkeypatch.setattr(fuzzing, "HANG_SECONDS", 1)
    monkeypatch.setattr(fuzz_checks, "render_query", lambda *_: threading.Event().wait(20))

    problems = try_inputs("query templates", 1, 1)

    assert [problem.partition(":")[0] for problem in problems] == ["TimeoutError"]


def test_shown_secret_is_noticed(monkeypatch):
    """A message that quotes a setting's value is told."""
    error = ConfigurationError(f"Setting `write_key`: {SECRET} is wrong.")
    monkeypatch.setattr(fuzz_checks, "load_configuration", mock.Mock(side_effect=error))

    with pytest.raises(AssertionError):
        fuzz_checks.check_target_configuration({"write_key": SECRET})
