"""One odd line among sound ones, as the whole program reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.target.conftest import record, schema, state

if TYPE_CHECKING:
    from sandbox.collector import Collector

ROW = b'{"type":"RECORD","stream":"s","record":{"userId":"%b","a":%b}}\n'
READ = {
    "nan": (b"NaN", {}),
    "infinity": (b"-Infinity", {}),
    "not UTF-8": (b'"x\xff"', {"a": "x\ufffd"}),
    "half a pair": (b'"\\ud83d"', {"a": "\ufffd"}),
    "a line separator": ('"\u2028"'.encode(), {"a": "\u2028"}),
    "control characters": (b'"a\r\x00"', {"a": "a\r\0"}),
    "128 levels": (b"[" * 128 + b"]" * 128, {"a": json.loads("[" * 128 + "]" * 128)}),
    "4,300 digits": (b"9" * 4300, {"a": int("9" * 4300)}),
    "a long key": (b'{"' + b"k" * 10_000 + b'":1}', {"a": {"k" * 10_000: 1}}),
    "many keys": (
        json.dumps({f"k{n}": n for n in range(1_000)}).encode(),
        {"a": {f"k{n}": n for n in range(1_000)}},
    ),
}
BAD = b'{"type":"RECORD","stream":"s","record":{"userId":"odd","a":%b}}\n'
REFUSED = {
    "129 levels": BAD % (b"[" * 129 + b"]" * 129),
    "500 levels": BAD % (b'{"a":' * 500 + b"1" + b"}" * 500),
    "1,100 levels": BAD % (b"[" * 1100 + b"]" * 1100),
    "100,000 levels": BAD % (b"[" * 100_000 + b"]" * 100_000),
    "4,301 digits": BAD % (b"9" * 4301),
    "a million digits": BAD % (b"9" * 1_000_000),
    "no JSON": BAD % b"tru",
    "single quotes": BAD % b"{'a':1}",
    "two in one line": (BAD % b"1")[:-1] + BAD % b"2",
    "no record": b'{"type":"RECORD","stream":"s"}\n',
    "a record that is text": b'{"type":"RECORD","stream":"s","record":"x"}\n',
    "a huge user id": b'{"type":"RECORD","stream":"s","record":{"userId":1e10000000}}\n',
    "a tiny user id": b'{"type":"RECORD","stream":"s","record":{"userId":1e-999999999}}\n',
    "a call too large": BAD % (b'"' + b"x" * 1_000_000 + b'"'),
    "a line too long": BAD % (b'"' + b"x" * (51 << 20) + b'"'),
}
OF_NOBODY = {
    "a log line": b"INFO starting\n",
    "an unknown type": b'{"type":"LOG","stream":"s"}\n',
    "a list": b"[1]\n",
    "a number": b"1\n",
    "an unreadable STATE": b'{"type":"STATE","value":{"bookmarks":tru}}\n',
    "half of a line": b'{"type":"REC\n',
}
KEYED = {**schema("s", "identify"), "key_properties": ["userId"]}


def _input(*odd: bytes) -> bytes:
    """A stream with these lines in its middle, and another stream behind it."""
    sound = [record("s", userId=str(number)) for number in range(20)]
    messages: list[Any] = [KEYED, *sound, *odd, record("s", userId="last")]
    messages += [schema("other", "track"), record("other", userId="o", event="e"), state(1)]
    return b"".join(
        m if isinstance(m, bytes) else json.dumps(m, separators=(",", ":")).encode() + b"\n"
        for m in messages
    )


def _people(collector: Collector) -> set[str]:
    return {call.body["userId"] for call in collector.calls}


SOUND = {*map(str, range(20)), "last", "o"}


@pytest.mark.parametrize("processes", [1, 2])
def test_almost_json_is_delivered(collector, config, run_target, processes):
    """Every such value arrives, with null for what JSON cannot say, and the rest is untouched."""
    rows = [ROW % (name.encode(), value) for name, (value, _) in READ.items()]

    run = run_target({**config, "processes": processes}, [_input(*rows)])

    assert (run.exit_code, run.states, run.dead_letters) == (0, [state(1)["value"]], [])
    calls = [json.loads(call.raw) for call in collector.calls]
    found = {call["userId"]: call.get("traits", {}) for call in calls}
    assert found.keys() == {*SOUND, *READ}
    assert {name: found[name] for name in READ} == {
        name: traits for name, (_, traits) in READ.items()
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_row_that_cannot_be_read_is_one_dead_letter(collector, config, run_target, processes):
    """Its stream and the truth are in the letter; all other rows arrive."""
    settings = {**config, "processes": processes, "max_rejected_ratio": 1}

    run = run_target(settings, [_input(*REFUSED.values())])

    assert (run.exit_code, run.states) == (0, [state(1)["value"]])
    assert _people(collector) == SOUND
    letters = {letter["position"] - 20: letter for letter in run.dead_letters}
    assert sorted(letters) == list(range(len(REFUSED))) == [*range(len(run.dead_letters))]
    for number, (name, line) in enumerate(REFUSED.items()):
        letter = letters[number]
        assert (letter["stream"], letter["call_type"]) == ("s", "identify")
        assert ("line" in letter) == letter["reason"].startswith("The line cannot be read: "), name
        if "line" in letter:
            assert line.decode().startswith(letter["line"])
    assert len(run.log) < 10_000


@pytest.mark.parametrize("processes", [1, 2])
def test_line_of_nobody_is_one_dead_letter(collector, config, run_target, processes):
    """It belongs to the stream "(unknown)"; its position is its place in the input."""
    run = run_target({**config, "processes": processes}, [_input(*OF_NOBODY.values())])

    assert (run.exit_code, run.states) == (0, [state(1)["value"]])
    assert _people(collector) == SOUND
    assert {letter["stream"] for letter in run.dead_letters} == {"(unknown)"}
    kept = {letter["position"] - 21: letter["line"] for letter in run.dead_letters}
    assert kept == {n: line.decode().strip() for n, line in enumerate(OF_NOBODY.values())}


@pytest.mark.parametrize("processes", [1, 2])
def test_input_of_another_format_stops_the_run(collector, config, run_target, processes):
    """Where most lines are no messages, something is wrong with all: no dead letters, no STATE."""
    text = b"id,name\n" * 30

    run = run_target({**config, "processes": processes}, [_input(text)])

    assert (run.exit_code, run.states, run.dead_letters) == (5, [], [])
    assert "max_rejected_ratio" in run.log


@pytest.mark.parametrize("processes", [1, 2])
def test_unreadable_schema_fails_its_stream_alone(collector, config, run_target, processes):
    """The records behind it could mean anything."""
    odd = b'{"type":"SCHEMA","stream":"s","schema":tru}\n'

    run = run_target({**config, "processes": processes}, [state(0), _input(odd)])

    assert run.exit_code == 4
    assert "o" in _people(collector)
    assert "last" not in _people(collector)
    assert run.dead_letters == []


def test_replaced_characters_are_counted(collector, config, run_target):
    """The log says how many, without the text around them."""
    run = run_target(config, [_input(BAD % b'"secret\xff\xfe"')])

    assert "2 characters of the input are none, and were replaced by U+FFFD" in run.log
    assert "secret" not in run.log


def test_unreadable_line_stays_at_a_replay(collector, config, run_target, tmp_path):
    """Only the tap can send it again; the letters beside it are sent."""
    bad = json.dumps(record("s", userId="x", traits="no object")).encode() + b"\n"
    run_target(config, [_input(REFUSED["no JSON"] + bad)])
    letters = (tmp_path / "dead_letters.jsonl").read_bytes()
    assert letters.count(b"\n") == 2

    run = run_target(config, [], "--replay", str(tmp_path / "dead_letters.jsonl"))

    assert run.exit_code == 2
    assert "a line that could not be read" in run.log
    assert letters.splitlines()[0] in (tmp_path / "dead_letters.jsonl").read_bytes()


def test_unreadable_row_of_a_stream_that_is_left_out_is_left_out(collector, config, run_target):
    """Nobody wants its rows."""
    settings = {**config, "call_types": {"s": None}}

    run = run_target(settings, [_input(REFUSED["no JSON"])])

    assert (run.exit_code, run.dead_letters) == (0, [])
    assert _people(collector) == {"o"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_of_other_systems_are_read(collector, config, run_target, mark, end):
    """A byte order mark and carriage returns change nothing."""
    run = run_target(config, [mark + _input(BAD % b"1").replace(b"\n", end)])

    assert (run.exit_code, run.states, run.dead_letters) == (0, [state(1)["value"]], [])
    assert _people(collector) == {*SOUND, "odd"}


@pytest.mark.parametrize("described", [{}, {"type": "object"}, {"type": "object", "x": []}])
def test_schema_without_properties_has_any_columns(collector, config, run_target, described):
    """As taps of schemaless databases write it."""
    message = {"type": "SCHEMA", "stream": "s", "schema": described, "key_properties": []}
    rows = [record("s", userId="1", plan="a"), record("s", userId="2", other=[1])]

    run = run_target({**config, "call_types": {"s": "identify"}}, [message, *rows, state(1)])

    assert (run.exit_code, run.states) == (0, [state(1)["value"]])
    found = {call.body["userId"]: call.body["traits"] for call in collector.calls}
    assert found == {"1": {"plan": "a"}, "2": {"other": [1]}}


@pytest.mark.parametrize("processes", [1, 2])
def test_repeated_schema_goes_on_counting_equal_events(collector, config, run_target, processes):
    """The SDK writes one per parent; equal rows still are events of their own."""
    described = schema("s", "track", **{"x-sync-time": 5})
    event = record("s", userId="1", event="e")

    run = run_target(
        {**config, "processes": processes},
        [described, event, event, described, event, described, event, state(1)],
    )

    assert run.exit_code == 0
    assert len({call.body["messageId"] for call in collector.calls}) == 4
