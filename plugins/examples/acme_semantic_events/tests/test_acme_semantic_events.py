from __future__ import annotations

import pytest
from acme_semantic_events import CALL_TYPES

from target_pipelines.testing import check_call_type, get_call_type_test_class

ROWS = {
    "delete_person": {"userId": 1, "timestamp": 1735689600},
    "suppress_person": {"userId": 1},
    "unsuppress_person": {"userId": 1},
    "delete_relationship": {"userId": 1, "objectId": "a", "objectTypeId": 1},
    "delete_object": {"anonymousId": "x", "objectId": "a", "objectTypeId": 1},
    "device": {"userId": 1, "context.device.token": "t", "context.device.type": "ios", "plan": 1},
    "delete_device": {"userId": 1, "context.device.token": "t"},
}
BY_NAME = {call_type.name: call_type for call_type in CALL_TYPES}

TestDevice = get_call_type_test_class(BY_NAME["device"], rows=[ROWS["device"]])


def test_every_call_type_has_an_example_row():
    """A new call type needs a row in this file."""
    assert sorted(BY_NAME) == sorted(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_call_type_keeps_the_contract(name):
    """The contract of call types holds for this one."""
    check_call_type(BY_NAME[name], [ROWS[name]])


OPTIONAL = {"timestamp", "context.device.type", "plan"}


@pytest.mark.parametrize(
    ("name", "missing"),
    [(name, column) for name in ROWS for column in ROWS[name] if column not in OPTIONAL],
)
def test_required_column_is_required(name, missing):
    """Without it the row becomes a dead letter instead of a call that Customer.io drops."""
    row = {column: value for column, value in ROWS[name].items() if column != missing}

    with pytest.raises(AssertionError, match="rejected an example row"):
        check_call_type(BY_NAME[name], [row])
