from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_pipelines.api.errors import AlreadyReplaying, ConfigurationError, DeliveryStopped
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.pipeline import Pipeline
from target_pipelines.run.replay import Replay
from tests.target.conftest import record, schema, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_pipelines.run.destination_pipeline import DestinationPipeline

POISON = {"status": 400, "contains": "poison", "times": None}
MESSAGES = [
    schema("s", "track"),
    record("s", userId=1, event="fine"),
    record("s", userId=2, event="poison"),
    record("s", userId=3, event="poison too"),
    record("s", userId=4, event=None),
    state(1),
]


@pytest.fixture
def dead_letters(collector, config, run_target, tmp_path):
    """The dead letters of a run: two rejected calls, and a record that became no call."""
    collector.script([POISON])
    assert len(run_target(config, MESSAGES).dead_letters) == 3
    collector.script([])
    collector.forget()
    return tmp_path / "dead_letters.jsonl"


def _read(path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replay_delivers_and_keeps_what_fails_again(collector, config, run_target, dead_letters):
    """Calls that are accepted now leave the file; the others stay, with their reason."""
    run = run_target(config, [], "--replay", str(dead_letters))

    assert run.exit_code == 0, run.log
    assert {call.body["event"] for call in collector.calls} == {"poison", "poison too"}
    (kept,) = _read(dead_letters)
    assert kept["record"] == {"userId": 4, "event": None}
    assert dead_letters.stat().st_mode & 0o777 == 0o600


def test_replay_carries_the_same_message_ids(collector, config, run_target, dead_letters):
    """The API can recognise a call that it already has."""
    ids = {dead_letter["call"].get("messageId") for dead_letter in _read(dead_letters)} - {None}

    run_target(config, [], "--replay", str(dead_letters))

    assert {call.message_id for call in collector.calls} == ids


def test_corrected_record_is_encoded_again(collector, config, run_target, dead_letters):
    """A record that became no call is encoded again, with the messageId of a normal run."""
    lines = dead_letters.read_text().replace('"event":null', '"event":"corrected"')
    dead_letters.write_text(lines)
    run_target(config, [], "--replay", str(dead_letters))
    (corrected,) = [call for call in collector.calls if call.body["event"] == "corrected"]

    collector.forget()
    run_target(config, [schema("s", "track"), record("s", userId=4, event="corrected")])

    assert dead_letters.read_text() == ""
    assert collector.calls[0].message_id == corrected.message_id


def test_replay_that_fails_leaves_the_file(collector, config, run_target, dead_letters):
    """A replay that ends early, as with a wrong key, loses no dead letter."""
    before = dead_letters.read_text()

    run = run_target({**config, "write_key": "wrong"}, [], "--replay", str(dead_letters))

    assert run.exit_code == 4
    assert dead_letters.read_text() == before


def test_dead_letters_appended_meanwhile_are_kept(collector, config, start_target, dead_letters):
    """Another run may append dead letters during a replay."""
    collector.script([{"delay_seconds": 1.0, "times": None}])
    process = start_target(config, "--replay", str(dead_letters))
    collector.wait_for_calls(1)
    with dead_letters.open("a") as file:
        file.write(dead_letters.read_text().splitlines()[0] + "\n")

    process.communicate(timeout=30)

    assert process.returncode == 0
    assert len(_read(dead_letters)) == 2


def test_invalid_file_is_refused(config, run_target, tmp_path):
    """A missing file is a configuration error; a file of another kind stays unchanged."""
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')

    assert run_target(config, [], "--replay", str(tmp_path / "none")).exit_code == 2
    assert run_target(config, [], "--replay", str(other)).exit_code == 4
    assert other.read_text() == '{"a": 1}\n'


def test_equal_events_stay_distinct_in_a_replay(collector, config, run_target, tmp_path):
    """Two equal records become two events after their correction."""
    rejected = record("s", userId=4, event=None)
    run_target(config, [schema("s", "track"), rejected, rejected])
    dead_letters = tmp_path / "dead_letters.jsonl"
    lines = dead_letters.read_text().replace('"event":null', '"event":"corrected"')
    dead_letters.write_text(lines)

    run_target(config, [], "--replay", str(dead_letters))

    assert len({call.message_id for call in collector.calls}) == len(collector.calls) == 2


@pytest.mark.parametrize(("call_type", "keys"), [("identify", []), ("track", ["n"]), ("track", [])])
def test_replayed_record_has_the_id_of_its_run(config, run_target, tmp_path, call_type, keys):
    """Position, run, key and number of repeats are kept in the dead letter."""
    times = {"x-sync-time": 5, "x-partition": 0}
    message = schema("s", call_type)
    message |= {"key_properties": keys, "schema": message["schema"] | times}
    row = {"userId": None, "event": "Bought", "n": 1, "timestamp": "2026-01-02T03:04:05Z"}
    rows = [record("s", **row), record("s", **row)]
    config |= {"destination": "file", "output_path": str(tmp_path / "calls.jsonl")}
    run_target(config, [message, *rows])
    letters = tmp_path / "dead_letters.jsonl"
    letters.write_text(letters.read_text().replace('"userId":null', '"userId":7'))

    run_target(config, [], "--replay", str(letters))
    replayed = _read(tmp_path / "calls.jsonl")
    (tmp_path / "calls.jsonl").unlink()
    for each in rows:
        each["record"]["userId"] = 7
    run_target(config, [message, *rows])

    assert [call["messageId"] for call in replayed] == [
        call["messageId"] for call in _read(tmp_path / "calls.jsonl")
    ]


TIMED = {"timestamp": "2026-01-02T03:04:05Z", "event": "Bought"}


def _runs(
    stream_type: str, *runs: list[dict[str, Any]], keys: Sequence[str] = ()
) -> list[list[Any]]:
    """The messages of runs of a sync whose rows have these columns."""
    messages = []
    for number, rows in enumerate(runs, 1):
        times = {"x-sync-time": number * 1000, "x-last-sync-time": number * 1000 - 500}
        message = schema("s", stream_type, **times) | {"key_properties": list(keys)}
        messages.append([message, *(record("s", **row) for row in rows), state(number)])
    return messages


@pytest.mark.parametrize("keys", [[], ["n"]], ids=["timestamp", "key"])
def test_row_of_several_runs_is_one_event(config, run_target, tmp_path, keys):
    """Each run left a letter; the summary says so. Rows that a run repeats stay events each."""
    row = {"userId": None, "n": 1, **TIMED}
    output, letters = tmp_path / "calls.jsonl", tmp_path / "dead_letters.jsonl"
    config |= {"destination": "file", "output_path": str(output)}
    for messages in _runs("track", [row, row], [row], [row, row], keys=keys):
        run_target(config, messages)
    assert len(_read(letters)) == 5
    letters.write_text(letters.read_text().replace('"userId":null', '"userId":7'))
    config["report_path"] = str(tmp_path / "report.json")

    run = run_target(config, [], "--replay", str(letters))

    ids = [call["messageId"] for call in _read(output)]
    report = json.loads((tmp_path / "report.json").read_text())["streams"]["s"]
    assert (len(ids), len(set(ids))) == (2, 1 if keys else 2)
    assert [report[name] for name in ("read", "delivered", "same_rows")] == [5, 5, 3]
    assert "s: 3 letters were of the same rows as others" in run.log
    assert letters.read_text() == ""


def test_letters_of_a_row_stay_while_its_event_fails(collector, config, run_target, tmp_path):
    """They leave the file together."""
    letters = tmp_path / "dead_letters.jsonl"
    collector.script([POISON])
    for messages in _runs("track", [{"userId": 1, **TIMED, "name": "poison"}]) * 2:
        run_target(config, messages)
    before = _read(letters)
    assert len({letter["call"]["messageId"] for letter in before}) == 1

    first = run_target(config, [], "--replay", str(letters))
    kept = _read(letters)
    collector.script([])
    run_target(config, [], "--replay", str(letters))

    assert first.exit_code == 0
    assert [letter["time"] for letter in kept] == [letter["time"] for letter in before]
    assert letters.read_text() == ""
    assert len(collector.calls) == 1


def test_facts_are_sent_in_the_order_of_their_rows(collector, config, run_target, tmp_path):
    """Of runs, and within one: the newest value of each person arrives last."""
    letters = tmp_path / "dead_letters.jsonl"
    rows = [{"userId": 1, "plan": n} for n in range(4)]
    for messages in _runs("identify", rows[:2], rows[2:]):
        collector.script([POISON | {"contains": '"plan":'}])
        run_target(config, messages)
    collector.script([])
    letters.write_text("".join(reversed(letters.read_text().splitlines(keepends=True))))

    run = run_target(config, [], "--replay", str(letters))

    assert [call.body["traits"]["plan"] for call in collector.calls] == [0, 1, 2, 3], run.log


def test_letter_that_fails_again_keeps_its_age(collector, config, run_target, tmp_path):
    """And the run that read its row, by which facts are ordered."""
    letters = tmp_path / "dead_letters.jsonl"
    collector.script([POISON])
    run_target(config, *_runs("identify", [{"userId": None}, {"userId": 2, "x": "poison"}]))
    before = {(old["position"], old["time"], old["sync_time"]) for old in _read(letters)}

    run_target(config, [], "--replay", str(letters))

    after = {(new["position"], new["time"], new["sync_time"]) for new in _read(letters)}
    assert after == before
    assert {sync_time for *_, sync_time in after} == {1000}


@pytest.mark.parametrize("has_report", [False, True])
def test_replay_says_how_old_its_facts_are(config, run_target, tmp_path, has_report):
    """And whether their stream was delivered since, if the last report tells; before it sends."""
    letters = tmp_path / "dead_letters.jsonl"
    if has_report:
        config["report_path"] = str(tmp_path / "report.json")
    runs = _runs("identify", [{"userId": None}, {"userId": None}], [{"userId": 2}])
    for messages in runs:
        run_target(config, messages)
    old = _read(letters)
    for letter in old:
        letter["time"] = "2020-01-01T00:00:00.000Z"
    letters.write_text("".join(json.dumps(letter) + "\n" for letter in old))

    run = run_target({**config, "write_key": "wrong"}, [], "--replay", str(letters))

    assert "stream=s: 2 letters are facts (identify, group or alias), the oldest " in run.log
    assert " days old, the newest " in run.log
    assert "older values overwrite newer ones" in run.log
    assert "`--resync s`, instead or afterwards, sends the present rows." in run.log
    assert ("delivered this stream later." in run.log) == has_report


def test_events_are_not_called_facts(run_target, config, dead_letters):
    """A replay of an event overwrites nothing."""
    run = run_target(config, [], "--replay", str(dead_letters))

    assert "letters are facts" not in run.log


def test_second_replay_is_refused(tmp_path):
    """By any way to the file; a dry run takes no lock and touches nothing."""
    path, link = tmp_path / "letters.jsonl", tmp_path / "link.jsonl"
    path.write_text(UNKNOWN + "\n")
    path.chmod(0o640)
    link.symlink_to(path)
    configuration = load_configuration({"destination": "file"})

    with Replay(link, configuration).opened():
        with (
            pytest.raises(AlreadyReplaying, match="is not over"),
            Replay(path, configuration).opened(),
        ):
            pass
        before = sorted(tmp_path.iterdir())
        with Replay(path, configuration, is_dry_run=True).opened():
            assert sorted(tmp_path.iterdir()) == before

    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [path, link]


BROKEN = [
    "{",
    "[]",
    "{}",
    '{"stream": 1, "call_type": "track", "attempts": 1, "call": {}}',
    '{"stream": "s", "call_type": "track", "attempts": 1, "call": [1]}',
    '{"stream": "s", "call_type": "track", "attempts": "1", "call": {}}',
    '{"stream": "s", "call_type": "track", "attempts": 0, "record": null}',
    '{"stream": "s", "call_type": "track", "attempts": 0, "record": {}, "key": 5}',
    '{"stream": "s", "call_type": "track", "attempts": 0, "record": {}, "origin": [1]}',
    "\ufeff\ufeff",
]
UNKNOWN = '{"stream": "s", "call_type": "none", "attempts": 0, "record": {}}'


@pytest.mark.parametrize(("others", "code"), [(BROKEN, 4), ([UNKNOWN], 2)])
def test_broken_line_stays_and_stops_no_other(
    collector, config, run_target, dead_letters, others, code
):
    """It is named; the letters around it are sent once."""
    dead_letters = dead_letters.rename(dead_letters.with_name("letters.jsonl"))
    first, *rest = dead_letters.read_text().splitlines()
    dead_letters.write_text("\n".join(["\ufeff" + first, *others, *rest]) + "\n", encoding="utf-8")

    run = run_target({**config, "retry_rejected": 0}, [], "--replay", str(dead_letters))

    assert run.exit_code == code
    assert "Traceback" not in run.log
    assert len(collector.calls) == 2
    kept = dead_letters.read_text(encoding="utf-8").splitlines()
    assert [line for line in kept if line in others] == others
    assert len(kept) == len(others) + 1


class _NoPipeline(Pipeline):
    def __init__(self) -> None:
        """It has no destination."""

    def find_destination(self, name: str | None, others: Any = ()) -> DestinationPipeline:
        raise ConfigurationError(f"no {name}")


def test_replaced_file_is_left_alone(tmp_path):
    """A file that logrotate or an editor put there meanwhile is not overwritten."""
    path = tmp_path / "letters.jsonl"
    letter = b'{"stream": "s", "call_type": "x", "attempts": 0, "record": {}}\n'
    path.write_bytes(letter)
    replay = Replay(path, load_configuration({"destination": "file"}))
    with replay.opened():
        replay.send(_NoPipeline())
        path.unlink()
        path.write_bytes(letter[:10] + letter)
        with pytest.raises(DeliveryStopped, match="changed or replaced"):
            replay.finish()
        path.unlink()
        with pytest.raises(DeliveryStopped, match="No such file"):
            replay.finish()

    assert list(tmp_path.iterdir()) == []


def test_replay_of_one_stream_leaves_the_letters_of_others(collector, config, run_target, tmp_path):
    """They stay as they are, and are not sent."""
    collector.script([POISON])
    rows = [record(stream, userId=1, event=f"poison {stream}") for stream in "ab"]
    run_target(config, [schema("a", "track"), schema("b", "track"), *rows, state(1)])
    collector.script([])
    collector.forget()
    path = tmp_path / "dead_letters.jsonl"
    (of_a, of_b) = path.read_text().splitlines()
    assert json.loads(of_a)["stream"] == "a"

    run = run_target(config, [], "--replay", str(path), "--stream", "a")

    assert run.exit_code == 0, run.log
    assert [call.body["event"] for call in collector.calls] == ["poison a"]
    assert path.read_text().splitlines() == [of_b]


def test_stream_without_a_replay_is_refused(config, run_target):
    """It would limit nothing."""
    run = run_target(config, [], "--stream", "a")

    assert run.exit_code == 2
    assert "--replay FILE" in run.log


def test_one_message_id_in_two_streams_is_one_event(collector, config, run_target, tmp_path):
    """As after a sync was renamed: it is sent once, and both letters leave the file."""
    collector.script([POISON])
    path = tmp_path / "dead_letters.jsonl"
    for stream in ("a", "b"):
        row = record(stream, userId=1, event="poison", messageId="m")
        run_target(config, [schema(stream, "track"), row, state(1)])
    assert len(_read(path)) == 2
    collector.script([])
    collector.forget()

    run = run_target(config, [], "--replay", str(path))

    assert run.exit_code == 0, run.log
    assert [call.message_id for call in collector.calls] == ["m"]
    assert _read(path) == []


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda letter: letter.pop("record"), id="no record"),
        pytest.param(lambda letter: letter.update(destination=[]), id="destination"),
        pytest.param(lambda letter: letter.update(origin={"repeat": "x"}), id="origin"),
        pytest.param(lambda letter: letter.update(call={"userId": {}}), id="call"),
        pytest.param(lambda letter: letter.update(sync_time={}), id="time"),
    ],
)
def test_odd_letter_stops_no_other(collector, config, run_target, dead_letters, damage):
    """It is sent, or stays in the file and is named; there is no traceback."""
    first, *others = dead_letters.read_text().splitlines()
    letter = json.loads(first)
    damage(letter)
    dead_letters.write_text("\n".join([json.dumps(letter), *others]) + "\n")

    run = run_target(config, [], "--replay", str(dead_letters))

    assert "Traceback" not in run.log
    assert run.exit_code in {0, 2, 4}
    assert "poison too" in {call.body.get("event") for call in collector.calls}


def test_last_line_needs_no_line_break(collector, config, run_target, dead_letters):
    """An editor may have removed it."""
    dead_letters.write_text(dead_letters.read_text().rstrip("\n"))
    count = len(dead_letters.read_text().splitlines())

    run = run_target(config, [], "--replay", str(dead_letters))

    assert run.exit_code == 0, run.log
    assert len(collector.calls) + len(_read(dead_letters)) == count


def test_letters_of_the_kind_are_those_of_a_named_destination(
    collector, config, run_target, dead_letters
):
    """A destination that got a name takes the letters from before."""
    kinds = {name: config[name] for name in ("destination", "endpoint", "write_key")}
    rest = {name: value for name, value in config.items() if name not in kinds}
    named = {**rest, "destinations": [{**kinds, "name": "crm"}]}
    named["destinations"][0]["dead_letter_path"] = str(dead_letters)

    run = run_target(named, [], "--replay", str(dead_letters))

    assert run.exit_code == 0, run.log
    assert len(collector.calls) == 2
