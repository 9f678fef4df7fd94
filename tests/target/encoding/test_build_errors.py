"""A `build` that raises: which exception, which key, which line; never a value."""

from __future__ import annotations

from typing import Any

import pytest

from target_pipelines import ID, CallType, call_schema
from target_pipelines.encoding.encoder import Rejection
from target_pipelines.testing.call_types import encode_row


def _lookup(call: Any) -> Any:
    return {"gold": 1}[call["userId"]]


def _missing(call: Any) -> Any:
    return call["properties"]


def _deep(call: Any) -> Any:
    return int(call["userId"])


BUILDS = {
    "name": (_missing, "KeyError (no `properties`) in line 19 of test_build_errors.py."),
    "value": (_lookup, "KeyError in line 15 of test_build_errors.py."),
    "no key": (_deep, "ValueError in line 23 of test_build_errors.py."),
    "built in": (len, "`build` returned a int, not a call."),
}


@pytest.mark.parametrize(("build", "end"), BUILDS.values(), ids=list(BUILDS))
def test_exception_of_build_is_located(build, end):
    """A key is shown only if it is the name of a column or a field."""
    schema = call_schema({"userId": ID})
    call_type = CallType(name="track", summary="", schema=schema, build=build)

    encoded = encode_row(call_type, {"userId": "c4n4ry"})

    assert isinstance(encoded, Rejection)
    assert encoded.reason == f'Plugin "under test" failed to build the call: {end}'
