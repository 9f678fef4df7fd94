"""The calls of some rows, as a preview shows them: the bytes that a run sends."""

from __future__ import annotations

import json

from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.preview import preview_calls
from tests.target.conftest import record, schema

COLUMNS = {"userId": {"type": "integer"}, "plan": {"type": ["null", "string"]}}


def _described(call_type: str):
    message = schema("rows", call_type, **{"x-sync-time": 7, "x-limit": 5})
    message["schema"]["properties"] = COLUMNS
    return message


def _preview(config, *messages):
    configuration = load_configuration({"blocked_plugins": [], **config})
    return preview_calls(configuration, [json.dumps(each).encode() + b"\n" for each in messages])


ROWS = [
    record("rows", userId=1, plan=None),
    record("rows", userId=None, plan="gold"),
    record("rows", userId=3, plan="x", _sdc_deleted_at="2026-01-01"),
    record("rows", userId=4, plan="y", _sdc_batched_at="2026-01-01"),
]


def test_calls_are_those_of_a_run(config, run_target, collector):
    """Byte by byte, at the places of their rows."""
    preview = _preview(config | {"destination": "segment"}, _described("identify"), *ROWS)
    run_target(config | {"destination": "segment"}, [_described("identify"), *ROWS])

    rows = preview.destinations["segment"]
    sent = {call.raw for call in collector.calls}
    assert {row.call for row in rows if row.call} == sent
    assert [json.loads(row.call)["userId"] if row.call else None for row in rows] == [
        "1", None, None, "4",
    ]  # fmt: skip


def test_what_is_left_out_has_a_reason(config):
    """Rejected and filtered rows, NULLs, and columns that are in no call."""
    first, rejected, filtered, last = _preview(
        config | {"destination": "segment"}, _described("identify"), *ROWS
    ).destinations["segment"]

    assert first.null_columns == ["plan"]
    assert "userId" in rejected.reason
    assert not rejected.is_filtered
    assert filtered.is_filtered
    assert list(last.unsent_columns) == ["_sdc_batched_at"]


def test_sent_nulls_are_not_left_out(config):
    """`null_values: send`."""
    (row,) = _preview(
        config | {"null_values": "send"}, _described("identify"), ROWS[0]
    ).destinations["customerio"]

    assert row.null_columns == []


def test_any_number_of_rejected_rows_is_shown(config):
    """`max_rejected_ratio` and `on_rejected` fail runs, not previews."""
    rows = [record("rows", userId=n) for n in range(20)]

    preview = _preview(config | {"on_rejected": "stop"}, _described("track"), *rows)

    assert preview.error is None
    assert all("event" in row.reason for row in preview.destinations["customerio"])


def test_unknown_call_type_is_the_error(config):
    """It fails the stream in a run, too."""
    preview = _preview(config, _described("unheard_of"), *ROWS)

    assert "unheard_of" in str(preview.error)


def test_no_rows_are_no_calls(config):
    """Only the columns are known."""
    preview = _preview(config, _described("identify"))

    assert (preview.columns, preview.rows) == (["userId", "plan"], [])
    assert preview.destinations == {"customerio": []}
