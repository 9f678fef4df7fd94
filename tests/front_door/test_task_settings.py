"""What tasks of a cluster get of the target's settings."""

from __future__ import annotations

from typing import Any

import pytest

from mssql_reverse_etl.cluster.task_settings import prepare_task_settings
from tap_mssql_query.settings.model import parse_settings
from target_pipelines.run.configuration import load_configuration

TAP: dict[str, Any] = {
    "host": "db",
    "syncs": [{"name": "s", "type": "identify", "query": "SELECT 1 AS userId"}],
}


def _destination(**changes: Any) -> dict[str, Any]:
    return {"destination": "webhook", "endpoint": "https://a", "write_key": "k", **changes}


@pytest.mark.parametrize(
    ("target", "rates"),
    [
        (_destination(), [None]),
        (_destination(requests_per_second=10), [5]),
        (
            {
                "destinations": [
                    _destination(name="a", dead_letter_path="a"),
                    _destination(name="b", dead_letter_path="b", requests_per_second=4),
                ]
            },
            [None, 2],
        ),
    ],
)
def test_each_task_gets_its_part_of_the_rate(target: dict[str, Any], rates: list[Any]) -> None:
    """With several destinations, too, of which some have no limit; the result is valid."""
    prepared = prepare_task_settings(TAP, parse_settings(TAP), target)

    divided = prepared.divided_by(2)

    config = {**divided.target}
    for entry in config.get("destinations", [config]):
        entry["write_key"] = "k"  # a reference to a variable of the worker
    configuration = load_configuration(config)
    assert [each.requests_per_second for each in configuration.destinations] == rates
