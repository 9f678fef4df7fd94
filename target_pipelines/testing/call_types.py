"""The contract of a call type, as checks for a plugin's tests."""

from __future__ import annotations

import copy
import json
import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_object, encode_json
from target_pipelines.api import call_types
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.settings import TargetSettings
from target_pipelines.encoding.encoder import Rejection, StreamEncoder
from target_pipelines.encoding.mapping import MappingProblem, compile_plan
from target_pipelines.plugins.loading import built_in_entry_points, load_plugins
from target_pipelines.singer.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.api.call_types import CallType, Json

Row = dict[str, Any]
"""One row of a query: values by column name."""

CANARY = "c4n4ry"
"""Is part of the texts in `EDGE_VALUES`, so no reason may contain it."""
EDGE_VALUES: Mapping[str, Any] = {
    "NULL": None,
    "empty text": "",
    "spaces": "   ",
    "true": True,
    "zero": 0,
    "negative": -1,
    "38 digits": 10**38 - 1,
    "decimal": Decimal("1234567890123456789.0123456789012345678"),
    "tiny float": Decimal("-2.2250738585072014E-308"),
    "huge float": Decimal("1.7976931348623157E+308"),
    "unicode": f"{CANARY} Zoë 名 \U0001f30a \u202e \u0000 \\ \"quoted\" 'quoted'",
    "huge text": CANARY * 10_000,
    "date": "0001-01-01T00:00:00",
    "JSON object": {"a": CANARY, "b": None},
    "JSON array": [CANARY, None, Decimal("0.10")],
    "JSON text": f'{{"a": "{CANARY}"}}',
    "broken JSON text": f'{{"a": "{CANARY}',
}
"""Values that a column may hold, whatever the query's author expected."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ENOUGH_BYTES = 32 * 1024  # Customer.io's limit


def check_call_type(call_type: CallType, rows: Sequence[Row]) -> None:
    """Run every check. Raises AssertionError, which names the call type and what is wrong.

    Args:
        call_type: what the plugin registers.
        rows: example rows that must become calls; at least one. Together they have every column
            of interest, because edge values are tried in each column.
    """
    check_names(call_type)
    check_schema(call_type)
    _require(rows, call_type, "has no example rows: give at least one that becomes a call")
    for row in rows:
        check_example(call_type, row)
        check_repeat(call_type, row)
        check_build(call_type, row)
        for column in row:
            for kind in EDGE_VALUES:
                check_edge_value(call_type, row, column, kind)


def check_names(call_type: CallType) -> None:
    """The name fits into a configuration, and the API knows the call."""
    name = call_type.name
    _require(
        isinstance(name, str) and _NAME.fullmatch(name),
        call_type,
        "must have a name of lower-case letters, digits and underscores that begins with a letter",
    )
    _require(
        call_type.summary and call_type.summary == " ".join(call_type.summary.split()),
        call_type,
        "must have a summary of one line, without surrounding spaces",
    )
    known = _api_types()
    _require(
        call_type.api_type in known,
        call_type,
        f'is sent as "{call_type.api_type}"; `sends_as` must be one of the API\'s calls: '
        f"{', '.join(known)}",
    )


def check_schema(call_type: CallType) -> None:
    """The schema is a JSON Schema of an object, and describes the object for other columns."""
    call_types.check_schema(call_type, "under test")
    schema = call_type.schema
    _require(schema.get("type") == "object", call_type, 'must have a schema of "type": "object"')
    known = schema.get("properties", {})
    container = call_type.extra_columns
    _require(
        container is None or known.get(container, {}).get("type") == "object",
        call_type,
        f"puts other columns in `{container}`, which its schema does not describe as an object",
    )


def check_example(call_type: CallType, row: Row) -> None:
    """The row becomes a call: valid JSON with the API's name and a messageId."""
    outcome = encode_row(call_type, row)
    reason = outcome.reason.rstrip(".") if isinstance(outcome, Rejection) else ""
    _require(not reason, call_type, f"rejected an example row: {reason.rstrip('.')}")
    _require(outcome, call_type, "filtered out an example row")
    call = _parse(outcome)
    _require(call["messageId"], call_type, "made a call without `messageId`")


def check_repeat(call_type: CallType, row: Row) -> None:
    """The same row becomes the same bytes, so that a repeat has the same messageId."""
    once, again = encode_row(call_type, row), encode_row(call_type, row)
    _require(
        once == again,
        call_type,
        "made different calls of one row: `build` must not depend on time, chance or earlier calls",
    )


def check_build(call_type: CallType, row: Row) -> None:
    """`build` accepts missing columns, one or all, and does not change the row's values."""
    for missing in (*row, None):
        record = _as_read({name: row[name] for name in row if name != missing and missing})
        _build(call_type, record, f"without `{missing}`" if missing else "without any column")
    _build(call_type, _as_read(row), "of an example row")


def check_edge_value(call_type: CallType, row: Row, column: str, kind: str) -> None:
    """An edge value in a column gives a call, none, or a reason that does not show the value."""
    record = {**row, column: EDGE_VALUES[kind]}
    where = f"with {kind} in `{column}`"
    _build(call_type, _as_read(record), where)
    for null_values in ("omit", "send"):
        outcome = encode_row(call_type, record, null_values)
        if isinstance(outcome, EncodedCall):
            _parse(outcome)
        elif outcome is not None:
            _require(outcome.reason, call_type, f"gave no reason for a rejection {where}")
            _require(
                CANARY not in outcome.reason, call_type, f"shows the value in the reason {where}"
            )


def get_call_type_test_class(call_type: CallType, *, rows: Sequence[Row]) -> type:
    """A pytest class with one test for each check, row, column and edge value.

    Assign it to a name that begins with `Test`. The arguments are those of `check_call_type`.
    """
    import pytest  # noqa: PLC0415 - not a dependency of the product

    if not rows:
        raise ValueError(f"{_name_of(call_type)} has no example rows: give at least one.")
    each_row = pytest.mark.parametrize("row", rows, ids=map(str, range(len(rows))))
    each_cell = pytest.mark.parametrize(
        ("row", "column"),
        [pytest.param(row, name, id=f"{i}-{name}") for i, row in enumerate(rows) for name in row],
    )
    each_kind = pytest.mark.parametrize("kind", EDGE_VALUES)

    class CallTypeTests:
        def test_names(self) -> None:
            check_names(call_type)

        def test_schema(self) -> None:
            check_schema(call_type)

        @each_row
        def test_example(self, row: Row) -> None:
            check_example(call_type, row)

        @each_row
        def test_repeat(self, row: Row) -> None:
            check_repeat(call_type, row)

        @each_row
        def test_build(self, row: Row) -> None:
            check_build(call_type, row)

        @each_cell
        @each_kind
        def test_edge_value(self, row: Row, column: str, kind: str) -> None:
            check_edge_value(call_type, row, column, kind)

    return CallTypeTests


@cache
def _api_types() -> list[str]:
    """The API's calls, each of which is a built-in call type."""
    built_in = load_plugins(entries=built_in_entry_points()).call_types
    return sorted({built_in[name].api_type for name in built_in.names()})


def encode_row(
    call_type: CallType, row: Row, null_values: str = "omit"
) -> EncodedCall | Rejection | None:
    """Encode a row as the target does, in a run of its own."""
    encoder = StreamEncoder(
        Stream(name="example", call_type=call_type, plugin="under test", last_sync_time=0),
        settings=TargetSettings(null_values=null_values),
        call_max_bytes=_ENOUGH_BYTES,
        event_schemas={},
    )
    return encoder.encode(_as_read(row), epoch=0, line=b"")


def _build(call_type: CallType, record: Json, where: str) -> None:
    """Call `build` as the target does. Raises AssertionError if it breaks its contract."""
    try:
        call = compile_plan(tuple(record), call_type, null_values="send").apply(record)
    except MappingProblem:
        return  # the row is rejected before `build` is called
    if call_type.build is None:
        return
    before = copy.deepcopy(record)
    try:
        built: Any = call_type.build(call)
    except Exception as error:
        raise AssertionError(
            f"{_name_of(call_type)}: `build` raised {type(error).__name__} {where}. Let the "
            "schema reject the call, or return None."
        ) from error
    _require(
        built is None or isinstance(built, dict),
        call_type,
        f"`build` returned a {type(built).__name__} {where}, not a dict or None",
    )
    _require(record == before, call_type, f"`build` changed the row's own values {where}")


def _as_read(row: Row) -> Json:
    """The row as the target reads it: JSON, with non-integer numbers as `Decimal`."""
    record: Json = decode_object(encode_json(row))
    return record


def _parse(call: Any) -> Json:
    """Parse a call with another parser than the one that encoded it."""
    parsed: Json = json.loads(call.body)
    return parsed


def _require(holds: object, call_type: CallType, what: str) -> None:
    if not holds:
        raise AssertionError(f"{_name_of(call_type)} {what}.")


def _name_of(call_type: CallType) -> str:
    return f'Call type "{call_type.name}"'
