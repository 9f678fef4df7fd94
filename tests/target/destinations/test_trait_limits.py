from __future__ import annotations

import pytest

from tests.target.conftest import record, schema

LONG_NAME = "é" * 76
TOO_MANY = [f"c{number}" for number in range(301)]


def _schema(names: list[str], call_type: str) -> dict[str, object]:
    message = schema("wide", call_type)
    message["schema"]["properties"] = {name: {"type": "string"} for name in ["userId", *names]}
    return message


def _warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if "stream=wide destination=" in line]


@pytest.mark.parametrize("processes", [1, 2])
def test_customerio_warns_once_per_stream(config, run_target, processes):
    """Columns beyond Customer.io's attribute limits cause one warning, and are sent."""
    wide = _schema([*TOO_MANY, LONG_NAME], "identify")
    settings = {**config, "processes": processes}

    run = run_target(settings, [wide, record("wide", userId=1, c1="c4n4ry"), wide])

    (warning,) = _warnings(run.log)
    assert run.exit_code == 0
    assert "302 columns become traits, and 300 are kept" in warning
    assert f"may have 150 bytes, and these have more: {LONG_NAME}" in warning
    assert "c4n4ry" not in run.log


@pytest.mark.parametrize(
    ("names", "call_type"),
    [(TOO_MANY[:300], "identify"), ([*TOO_MANY, LONG_NAME], "page")],
    ids=["within the limits", "no traits"],
)
def test_customerio_is_silent_about_other_streams(config, run_target, names, call_type):
    """Exactly the limit is allowed, and properties are not limited."""
    run = run_target(config, [_schema(names, call_type)])

    assert (run.exit_code, _warnings(run.log)) == (0, [])


def test_segment_does_not_warn(config, run_target):
    """Segment's profile has no trait limits."""
    wide = _schema([*TOO_MANY, LONG_NAME], "identify")

    run = run_target({**config, "destination": "segment"}, [wide])

    assert (run.exit_code, _warnings(run.log)) == (0, [])
