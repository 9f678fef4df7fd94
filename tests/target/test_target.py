from __future__ import annotations

import json
import signal

import pytest

from target_pipelines.plugins.loading import load_plugins
from tests.target.conftest import lines, record, schema, state

STREAM = [schema("s", "identify"), record("s", userId=1, plan="a"), state(1)]
STATE = state(1)["value"]


def _users(count: int, first: int = 0):
    return [record("s", userId=number) for number in range(first, first + count)]


def test_rows_are_delivered_and_then_the_state_is_printed(collector, config, run_target):
    """Each row arrives at the API as a call; then the STATE is printed."""
    run = run_target(config, [schema("s", "identify"), *_users(3), state(1)])

    assert (run.exit_code, run.states) == (0, [STATE])
    assert sorted(call.body["userId"] for call in collector.calls) == ["0", "1", "2"]
    assert run.dead_letters == []


def test_request_has_the_format_of_the_api(collector, config, run_target):
    """One POST to /batch with the key, strict mode, and JSON."""
    run_target(config, STREAM)

    (request,) = collector.requests
    assert (request.method, request.path, request.status) == ("POST", "/v1/batch", 200)
    assert request.headers["X-Strict-Mode"] == "1"
    assert request.headers["Content-Type"] == "application/json"


def test_numbers_keep_their_digits(collector, config, run_target):
    """Decimals and large integers reach the API unchanged."""
    line = (
        '{"type":"RECORD","stream":"s","record":'
        '{"userId":1,"a":12.3400,"b":12345678901234567890123}}\n'
    )

    run_target(config, [schema("s", "identify"), line])

    assert b'{"a":12.3400,"b":12345678901234567890123}' in collector.calls[0].raw


def test_row_that_violates_the_schema_is_a_dead_letter(collector, config, run_target):
    """It is kept with reason and record; the other rows are delivered and the STATE is printed."""
    bad = record("s", userId=None, plan="b")

    run = run_target(config, [schema("s", "identify"), *_users(2), bad, state(1)])

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 2)
    (letter,) = run.dead_letters
    assert letter["reason"].startswith(
        "The call needs `userId` or `anonymousId` or `traits.email`. Correct the query; then "
        "`--resync s` or `--since` reads the row again"
    )
    assert (letter["kind"], letter["position"]) == ("query", 2)
    assert letter["record"] == {"userId": None, "plan": "b"}


def test_oversize_call_is_a_dead_letter(collector, config, run_target):
    """A call that the API would drop with status 200 is not sent."""
    limit = 32 * 1024

    run = run_target(config, [schema("s", "identify"), record("s", userId=1, a="é" * limit)])

    assert collector.calls == []
    assert f"larger than {limit} bytes" in run.dead_letters[0]["reason"]


@pytest.mark.parametrize("size", [32 * 1024, 32 * 1024 + 1])
def test_call_size_limit_is_exact(collector, config, run_target, size):
    """A call of exactly the limit is sent; one byte more is not."""
    empty = run_target(config, [schema("s", "identify"), record("s", userId=1, a="")], "--dry-run")
    padding = "x" * (size - len(empty.output.encode()) + 1)

    run_target(config, [schema("s", "identify"), record("s", userId=1, a=padding)])

    assert [len(call.raw) for call in collector.calls] == ([size] if size == 32 * 1024 else [])


def test_rejected_batch_is_split_until_the_call_is_alone(collector, config, run_target):
    """The rejected call is a dead letter; all others are delivered."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])
    poison = record("s", userId=7, a="poison")

    messages = [schema("s", "identify"), *_users(40), poison, *_users(40, 100), state(1)]
    run = run_target(config, messages)

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 80)
    (letter,) = run.dead_letters
    assert (letter["status"], letter["attempts"], letter["call"]["userId"]) == (400, 1, "7")
    assert letter["record"] == {"userId": 7, "a": "poison"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 403, 404])
def test_fatal_response_stops_the_run(collector, config, run_target, status):
    """There are no dead letters and no STATE: the next run starts at the same place."""
    headers = {"Location": f"{collector.url}/identify"}
    collector.script([{"status": status, "headers": headers, "times": None}])

    run = run_target(config, STREAM)

    assert (run.exit_code, run.states, run.dead_letters) == (4, [], [])
    assert f"HTTP {status}" in run.log
    assert len(collector.requests) == 1


def test_wrong_write_key_stops_the_run(collector, config, run_target):
    """The message names the setting and does not show the key."""
    run = run_target({**config, "write_key": "c4n4ry"}, STREAM)

    assert (run.exit_code, run.states) == (4, [])
    assert "`write_key`" in run.log
    assert "c4n4ry" not in run.log


def test_html_response_is_not_an_acknowledgement(collector, config, run_target):
    """The 200 of a captive portal does not count as delivered."""
    collector.script([{"status": 200, "body": "<html>Sign in</html>", "times": None}])

    run = run_target(config, STREAM)

    assert (run.exit_code, run.states) == (4, [])


@pytest.mark.parametrize(
    "error", [{"status": 503}, {"status": 429}, {"drop": "before"}], ids=["503", "429", "dropped"]
)
def test_transient_error_is_retried(collector, config, run_target, error):
    """Transient errors are retried until the request succeeds."""
    collector.script([{**error, "times": 2}])

    run = run_target(config, STREAM)

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 1)
    assert len(collector.requests) == 3


def test_outage_is_logged_once_for_all_lanes(collector, config, run_target):
    """At the first retry: the destination, the reason and the limit; and once when it is over."""
    collector.script([{"status": 503, "times": 8}])
    config = {**config, "batch_max_calls": 10, "concurrency": 4}

    run = run_target(config, [schema("s", "identify"), *_users(200), state(1)])

    down = [line for line in run.log.splitlines() if "does not accept calls" in line]
    assert run.exit_code == 0
    assert len(down) == 1
    assert 'Destination "customerio" does not accept calls: HTTP 503. Retrying' in down[0]
    assert "if this lasts (`max_retry_seconds`: 600)" in down[0]
    assert run.log.count("accepts calls again") == 1


def test_retry_after_a_lost_response_is_identical(collector, config, run_target):
    """After a lost response the same bytes are sent again, with the same messageIds."""
    collector.script([{"drop": "after"}])

    run = run_target(config, [schema("s", "track"), record("s", userId=1, event="e"), state(1)])

    first, second = collector.requests
    assert (run.exit_code, first.body_digest) == (0, second.body_digest)
    assert len({call.message_id for call in collector.calls}) == 1


def test_slow_response_times_out(collector, config, run_target):
    """`timeout_seconds` covers the whole attempt, even while bytes keep arriving."""
    body = '{"success":true}' + " " * 1000
    collector.script([{"body": body, "drip_seconds": 0.05}])

    run = run_target({**config, "timeout_seconds": 0.5}, STREAM)

    assert (run.exit_code, run.states, len(collector.requests)) == (0, [STATE], 2)


@pytest.mark.parametrize("bomb", [{"padding_bytes": 3_000_000}, {"gzip_bytes": 3_000_000}])
def test_long_response_is_harmless(collector, config, run_target, bomb):
    """A body is read up to a limit and never decompressed."""
    collector.script([{"status": 500, **bomb}])

    run = run_target(config, STREAM)

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_row_at_which_the_api_fails_does_not_block_the_others(
    collector, config, run_target, processes
):
    """As with a character that the API's database cannot keep: HTTP 500 at each attempt."""
    collector.script([{"status": 500, "contains": "poison", "times": None}])
    rows = [
        record("s", userId=number, email=f"{'poison' if number in (7, 30) else 'good'}@example.com")
        for number in range(40)
    ]

    run = run_target(
        {**config, "max_retry_seconds": 0.3, "max_rejected_ratio": 0.5, "processes": processes},
        [schema("s", "identify"), *rows, state(1)],
    )

    assert run.exit_code == 0, run.log
    assert sorted(call.body["userId"] for call in collector.calls) == sorted(
        str(n) for n in range(40) if n not in (7, 30)
    )
    assert {letter["record"]["userId"] for letter in run.dead_letters} == {7, 30}
    assert all("HTTP 500 to this call alone" in letter["reason"] for letter in run.dead_letters)


def test_outage_makes_no_dead_letters(collector, config, run_target):
    """The run stops, as the next one may find the API well."""
    collector.script([{"status": 500, "times": None}])
    rows = [record("s", userId=number) for number in range(40)]

    run = run_target(
        {**config, "max_retry_seconds": 0.3}, [schema("s", "identify"), *rows, state(1)]
    )

    assert run.exit_code == 4
    assert not run.dead_letters
    assert not run.output


def test_retries_are_limited(collector, config, run_target):
    """After `max_retry_seconds` the run stops, and no STATE is printed."""
    collector.script([{"status": 500, "times": None}])

    run = run_target({**config, "max_retry_seconds": 0.2}, STREAM)

    assert (run.exit_code, run.states) == (4, [])
    assert "`max_retry_seconds`" in run.log


def test_calls_of_one_person_keep_their_order(collector, config, run_target):
    """They keep it with concurrent requests of which half fail."""
    collector.script([{"status": 503, "probability": 0.5, "seed": 3, "times": 40}])
    rows = [
        record("s", userId=user, event="e", n=number) for number in range(30) for user in range(20)
    ]

    config = {**config, "batch_max_calls": 20, "concurrency": 8}
    run = run_target(config, [schema("s", "track"), *rows, state(1)])

    assert (run.exit_code, len(collector.calls)) == (0, 600)
    numbers: dict[str, list[int]] = {}
    for call in collector.calls:
        numbers.setdefault(call.body["userId"], []).append(call.body["properties"]["n"])
    assert all(seen == list(range(30)) for seen in numbers.values())


def test_too_many_rejected_stop_the_run(config, run_target):
    """A wrong mapping does not turn a whole table into dead letters."""
    bad = [record("s", userId=None) for _ in range(150)]

    run = run_target(config, [schema("s", "identify"), *_users(10), *bad, state(1)])

    assert (run.exit_code, run.states) == (5, [])
    assert "`max_rejected_ratio`" in run.log


def test_state_before_an_invalid_line_is_printed(config, run_target):
    """When the tap dies within a line, settled records stay settled and the run fails."""
    run = run_target(config, [*STREAM, *_users(1), '{"type":"RECO'])

    assert (run.exit_code, run.states) == (4, [STATE])
    assert "Line 5 of the input" in run.log


def test_any_state_is_printed_unchanged(config, run_target):
    """The target prints states as it read them, whatever they contain."""
    value = {"bookmarks": {"x": {"replication_key_value": 1.50}}, "other": ["ü", None]}

    run = run_target(config, [{"type": "STATE", "value": value}])

    assert run.states == [value]


def test_stream_of_another_tap_needs_a_call_type(config, run_target):
    """`call_types` provides the call type for taps that send none."""
    messages = [schema("s", None), *_users(1), state(1)]

    assert run_target({**config, "call_types": {"s": "identify"}}, messages).exit_code == 0
    refused = run_target(config, messages)
    assert (refused.exit_code, refused.states) == (2, [])
    assert "`call_types`" in refused.log


def test_unknown_call_type_lists_the_known_ones(config, run_target):
    """The message names the stream and the call types of all plugins."""
    run = run_target(config, [schema("s", "wave"), *_users(1)])

    assert run.exit_code == 2
    assert 'Stream "s" has the call type "wave"' in run.log
    assert ", ".join(load_plugins().call_types.names()) in run.log


def test_record_without_a_schema_is_an_error(config, run_target):
    """It names the line and the stream."""
    run = run_target(config, _users(1))

    assert run.exit_code == 4
    assert 'Line 1 of the input is a RECORD of stream "s"' in run.log


def test_unknown_destination_is_a_configuration_error(run_target):
    """The exit code is 2, before anything is read."""
    run = run_target({"destination": "pigeon"}, STREAM)

    assert run.exit_code == 2
    assert '"pigeon"' in run.log


def test_file_has_the_calls_in_row_order(run_target, tmp_path):
    """`file` is the default destination; existing lines stay."""
    for _ in range(2):
        run = run_target({}, [schema("s", "identify"), *_users(50), state(1)])
        assert (run.exit_code, run.states) == (0, [STATE])

    calls = [json.loads(text) for text in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert [call["userId"] for call in calls] == [str(n) for n in range(50)] * 2


def test_dry_run_sends_nothing(collector, config, run_target, tmp_path):
    """It prints the calls, but no STATE, and writes no dead letters."""
    messages = [schema("s", "identify"), *_users(2), record("s", userId=None), state(1)]

    run = run_target(config, messages, "--dry-run")

    assert [json.loads(text)["userId"] for text in run.output.splitlines()] == ["0", "1"]
    assert (collector.requests, run.dead_letters) == ([], [])


START_FAILURES = {
    "settings": {"batch_max_calls": 0},
    "destination": {"destination": "pigeon"},
    "endpoint": {"endpoint": "http://127.0.0.1:1", "max_retry_seconds": 0.1},
    "key": {"write_key": "wrong"},
}


@pytest.mark.parametrize("settings", START_FAILURES.values(), ids=list(START_FAILURES))
def test_report_is_never_that_of_an_earlier_run(config, run_target, tmp_path, settings):
    """Also if the run cannot start: the report has its exit code and the reason."""
    config = {**config, "report_path": "report.json"}
    run_target(config, STREAM)

    run = run_target({**config, **settings}, STREAM)

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["exit_code"] == run.exit_code != 0
    assert report["message"]
    assert "wrong" not in report["message"]
    assert all(entry["delivered"] == 0 for entry in report["streams"].values())


def test_unreadable_configuration_leaves_no_old_report(config, start_target, run_target, tmp_path):
    """The readable configurations say where it is."""
    run_target({**config, "report_path": "report.json"}, STREAM)
    (tmp_path / "bad.json").write_text("{")

    process = start_target({"report_path": "report.json"}, "--config", "bad.json")

    assert process.wait(timeout=60) == 2
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted_run_says_what_is_settled(collector, config, start_target, tmp_path, number):
    """And what the next run does; the report says that the run was interrupted."""
    collector.script([{}, {"delay_seconds": 5.0, "times": None}])
    config |= {"batch_max_calls": 10, "concurrency": 1, "report_path": "report.json"}
    process = start_target(config)
    process.stdin.write(lines([schema("s", "identify"), *_users(30)]))
    process.stdin.flush()
    collector.wait_for_requests(1, 60.0)

    process.send_signal(number)
    _, log = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert f"Interrupted by {number.name}" in log
    assert "of 30 rows read were settled. The next run continues from the last STATE" in log
    assert "ERROR" not in log
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["exit_code"] == 128 + number
    assert report["streams"]["s"]["outcome"] == "interrupted"


def test_report_adds_up(config, run_target, tmp_path):
    """In the JSON summary, rows read are delivered or rejected."""
    messages = [schema("s", "identify"), *_users(3), record("s", userId=None), state(1)]

    run_target({**config, "report_path": "report.json"}, messages)

    report = json.loads((tmp_path / "report.json").read_text())
    entry = report["streams"]["s"]
    assert (entry["read"], entry["delivered"], entry["rejected"]) == (4, 3, 1)
    assert report["requests"] >= 1


def test_list_of_call_types_names_required_fields(run_target):
    """Every registered call type is listed with its required fields."""
    run = run_target({}, [], "--list-call-types")

    assert run.exit_code == 0
    (track,) = [line for line in run.output.splitlines() if line.strip().startswith("track")]
    assert "event; userId or anonymousId" in track


SEMANTIC: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "User Deleted": ({"anonymousId": "a"}, {"userId": 1}),
    "User Suppressed": ({"anonymousId": "a"}, {"userId": 1}),
    "User Unsuppressed": ({"anonymousId": "a"}, {"userId": 1}),
    "Relationship Deleted": (
        {"userId": 1, "objectId": "o"},
        {"userId": 1, "objectId": "o", "objectTypeId": 1},
    ),
    "Object Deleted": (
        {"userId": 1, "objectId": "o", "objectTypeId": 1},
        {"anonymousId": "a", "objectId": "o", "objectTypeId": 1},
    ),
    "Device Created or Updated": ({"userId": 1}, {"userId": 1, "context.device.token": "t"}),
    "Device Deleted": ({"userId": 1}, {"userId": 1, "context.device.token": "t"}),
}


def test_semantic_events_need_their_fields(collector, config, run_target):
    """Customer.io's semantic events are validated: the API silently drops incomplete ones."""
    rows = [
        record("s", event=event, **columns) for event, both in SEMANTIC.items() for columns in both
    ]

    run = run_target(config, [schema("s", "track"), *rows])

    assert sorted(call.body["event"] for call in collector.calls) == sorted(SEMANTIC)
    assert {letter["call"]["event"] for letter in run.dead_letters} == set(SEMANTIC)
    assert all("As event" in letter["reason"] for letter in run.dead_letters)


def test_rejection_may_stop_the_run(collector, config, run_target):
    """With `on_rejected: stop` the first rejected row ends the run, and leaves no dead letter."""
    messages = [schema("s", "identify"), *_users(2), record("s", userId=None), state(1)]

    run = run_target({**config, "on_rejected": "stop"}, messages)

    assert (run.exit_code, run.states) == (5, [])
    assert "`on_rejected`" in run.log
    assert run.dead_letters == []


def test_requests_may_be_compressed(collector, config, run_target):
    """`gzip` sends the same calls in fewer bytes."""
    run = run_target({**config, "gzip": True}, [schema("s", "identify"), *_users(200), state(1)])

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 200)
    assert {request.encoding for request in collector.requests} == {"gzip"}
    assert sum(request.body_bytes for request in collector.requests) < 10_000


@pytest.mark.parametrize("text", ["x", "\u8a2d", "\U0001f680"], ids=["ascii", "cjk", "emoji"])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_size_limit_counts_bytes_not_characters(collector, config, run_target, text, excess):
    """A character of several bytes counts with all of them."""
    limit = 1000
    settings = {**config, "call_max_bytes": limit}
    empty = run_target(
        settings, [schema("s", "identify"), record("s", userId=1, a="")], "--dry-run"
    )
    room = limit + excess - (len(empty.output.encode()) - 1)
    padding = text * (room // len(text.encode()))
    padding += "x" * (room - len(padding.encode()))

    run_target(settings, [schema("s", "identify"), record("s", userId=1, a=padding)])

    assert [len(call.raw) for call in collector.calls] == ([] if excess > 0 else [limit + excess])


def test_key_revoked_during_the_run_stops_it(collector, config, run_target):
    """Earlier calls stay delivered; no STATE is printed."""
    collector.script([{"times": 2}, {"status": 403, "times": None}])
    config = {**config, "batch_max_calls": 10, "concurrency": 1}

    run = run_target(config, [schema("s", "identify"), *_users(50), state(1)])

    assert (run.exit_code, run.states, len(collector.calls)) == (4, [], 20)


def test_order_is_kept_for_many_persons(collector, config, run_target):
    """The order holds for 200 persons, with 8 concurrent requests of which half fail."""
    collector.script([{"status": 503, "probability": 0.5, "seed": 7, "times": 60}])
    rows = [
        record("s", userId=user, event="e", n=number)
        for number in range(100)
        for user in range(200)
    ]

    config = {**config, "batch_max_calls": 250, "concurrency": 8}
    run = run_target(config, [schema("s", "track"), *rows, state(1)])

    assert (run.exit_code, run.states, len(collector.calls)) == (0, [STATE], 20_000)
    numbers: dict[str, list[int]] = {}
    for call in collector.calls:
        numbers.setdefault(call.body["userId"], []).append(call.body["properties"]["n"])
    assert all(seen == list(range(100)) for seen in numbers.values())
    assert len({call.message_id for call in collector.calls}) == 20_000
    assert any(request.status == 503 for request in collector.requests)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("key", ["userId", "number"])
@pytest.mark.parametrize("sound", [0, 2])
def test_record_without_its_key_is_an_error(collector, config, run_target, sound, key, processes):
    """A missing key property stops the run, in any row; earlier rows are delivered."""
    keyed = {**schema("s", "identify"), "key_properties": [key]}
    row = {"userId": "1", "email": "a@example.com", "number": 7}
    keyless = {column: value for column, value in row.items() if column != key}
    rows = [record("s", **row)] * sound + [state(1)] + [record("s", **keyless)]

    run = run_target({**config, "processes": processes}, [keyed, *rows])

    assert (run.exit_code, run.states, len(collector.calls)) == (4, [STATE], sound)
    assert f"lacks its key: {key}" in run.log


def test_interleaved_streams_keep_their_states(collector, config, run_target):
    """Streams may alternate; the last state printed is the newest."""
    messages = [schema("a", "identify"), schema("b", "track")]
    for number in range(20):
        messages += [record("a", userId=number), record("b", userId=number, event="e")]
        messages.append(state(number))

    run = run_target({**config, "batch_max_calls": 3}, messages)

    assert (run.exit_code, len(collector.calls)) == (0, 40)
    assert run.states[-1] == state(19)["value"]
    numbers = [value["bookmarks"]["s"]["last_sync_time"] for value in run.states]
    assert numbers == sorted(numbers)


def test_rate_limit_holds_over_all_lanes(collector, config, run_target):
    """`requests_per_second` limits the run at any concurrency."""
    config = {**config, "batch_max_calls": 1, "concurrency": 8, "requests_per_second": 20}

    run_target(config, [schema("s", "identify"), *_users(21)])

    arrivals = sorted(request.arrived_at for request in collector.requests)
    assert len(arrivals) == 21
    assert arrivals[-1] - arrivals[0] >= 0.9


@pytest.mark.parametrize("processes", [1, 2])
def test_report_has_requests_and_rejections_by_stream(
    collector, config, run_target, tmp_path, processes
):
    """The bytes of all streams add up; a request with calls of two streams counts for both."""
    poison = {"status": 422, "contains": "poison", "times": None}
    collector.script([{"status": 503}, poison])
    rows = [record(s, userId=n, event=e) for n, e in enumerate(("fine", "poison")) for s in "ab"]
    messages = [schema("a", "track"), schema("b", "track"), *rows, record("b", userId=9, event="")]
    config = config | {"concurrency": 1, "processes": processes, "report_path": "report.json"}

    run_target(config, [*messages, state(1)])

    report = json.loads((tmp_path / "report.json").read_text())
    streams = report["streams"].values()
    assert report["sent_bytes"] == sum(entry["sent_bytes"] for entry in streams) > 0
    assert report["requests"] <= sum(entry["requests"] for entry in streams)
    assert all(report["requests"] >= entry["requests"] > 0 for entry in streams)
    assert report["retries"] == max(entry["retries"] for entry in streams) > 0
    assert [entry["rejected"] for entry in streams] == [1, 2]
    (rejected,) = report["streams"]["a"]["rejections"]
    assert rejected | {"reason": ""} == {
        "reason": "", "status": 422, "kind": "destination", "calls": 1
    }  # fmt: skip
    kinds = {each["kind"]: each["status"] for each in report["streams"]["b"]["rejections"]}
    assert kinds == {"destination": 422, "query": None}
    assert report["streams"]["b"]["rejected_by_kind"] == {"destination": 1, "query": 1}


def test_report_has_latencies_and_retries(collector, config, run_target, tmp_path):
    """The JSON summary counts requests and retries and has latency percentiles."""
    collector.script([{"status": 503}])

    run = run_target({**config, "report_path": "report.json"}, STREAM)

    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["requests"], report["retries"]) == (2, 1)
    assert report["latency_seconds"].keys() == {"p50", "p95", "p99", "max"}
    assert "1 API calls in 2 requests (1 retried)" in run.log


def test_alias_keeps_its_place(collector, config, run_target):
    """Calls before an alias arrive before it even after failures, as merging cannot be undone."""
    collector.script([{"status": 503, "times": 3}])
    rows = [record("people", userId=1, plan="a"), record("merges", userId=1, previousId=9)]
    messages = [schema("people", "identify"), schema("merges", "alias"), *rows * 10]

    run = run_target({**config, "batch_max_calls": 3, "concurrency": 8}, messages)

    assert run.exit_code == 0
    assert [call.type for call in collector.calls] == ["identify", "alias"] * 10


def test_call_larger_than_a_batch_is_a_dead_letter(run_target, config):
    """A limit of the settings for requests is one for calls, too."""
    messages = [schema("s", "identify"), record("s", userId=1, note="x" * 200), state(1)]

    run = run_target({**config, "batch_max_bytes": 120}, messages)

    assert run.exit_code == 0, run.log
    (letter,) = run.dead_letters
    assert (letter["kind"], "which is the limit" in letter["reason"]) == ("settings", True)


DESTINATIONS = {
    "customerio": {("identify", "email"), ("group", "alone")},
    "segment": set(),
    "rudderstack": set(),
    "hightouch": set(),
    "webhook": {("identify", "email"), ("group", "alone")},
}
NOBODY = {
    ("identify", "email"): {"email": "a@example.com"},
    ("group", "alone"): {"groupId": "g"},
}


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_call_about_nobody_is_rejected_where_the_api_would_drop_it(config, run_target, destination):
    """The profile says what its API needs; Customer.io knows people by their email address, too."""
    messages = []
    for name, row in NOBODY.items():
        messages += [schema(f"{name[0]}", name[0]), record(name[0], **row)]
    config = {**config, "destination": destination, "max_rejected_ratio": 1}

    run = run_target(config, [*messages, state(1)], "--dry-run")

    sent = {json.loads(line)["type"] for line in run.output.splitlines()}
    assert sent == {name for name, _ in DESTINATIONS[destination]}
    assert run.log.count("The call needs `userId` or `anonymousId`.") == 2 - len(sent)


def test_limits_of_one_vendor_are_not_those_of_all(config, run_target):
    """Only Customer.io lists channels and types of devices, in whatever case they are written."""
    row = {"userId": 1, "context.device.type": "iOS", "context.channel": "Server"}
    messages = [schema("s", "identify"), record("s", **row), state(1)]

    own = run_target({**config, "destination": "customerio"}, messages, "--dry-run")
    other = run_target({**config, "destination": "segment"}, messages, "--dry-run")

    assert json.loads(own.output)["context"] == {"channel": "server", "device": {"type": "ios"}}
    assert json.loads(other.output)["context"] == {"channel": "Server", "device": {"type": "iOS"}}


@pytest.mark.parametrize("processes", [1, 2])
def test_stream_is_left_out_and_deleted_rows_are_not_sent(collector, config, run_target, processes):
    """As another tap writes them; the STATE passes, and the counts add up."""
    gone = {"_sdc_deleted_at": "2026-01-02T03:04:05Z"}
    messages = [
        schema("noise", "nothing that exists"),
        *(record("noise", a=number) for number in range(30)),
        schema("s", "identify"),
        record("s", userId=1, _sdc_deleted_at=None, _sdc_batched_at="x"),
        record("s", userId=2, **gone),
        state(1),
    ]

    run = run_target({**config, "call_types": {"noise": None}, "processes": processes}, messages)

    assert run.exit_code == 0, run.log
    (call,) = collector.calls
    assert call.body["userId"] == "1"
    assert "traits" not in call.body
    assert run.output == '{"bookmarks":{"s":{"last_sync_time":1}}}\n'
    assert not run.dead_letters


def test_json_columns_of_another_tap_are_parsed(collector, config, run_target):
    """The setting of the target names them by stream; a dead letter keeps the text."""
    bad = record("s", address='{"city": "a"}')
    rows = [record(name, userId=1, address='{"city": "a"}') for name in ("s", "t")]

    run = run_target(
        {**config, "json_columns": {"s": ["address"]}},
        [schema("s", "identify"), schema("t", "identify"), *rows, bad],
    )

    assert run.exit_code == 0, run.log
    traits = [call.body["traits"]["address"] for call in collector.calls]
    assert sorted(traits, key=str) == sorted([{"city": "a"}, '{"city": "a"}'], key=str)
    assert run.dead_letters[0]["record"] == {"address": '{"city": "a"}'}


@pytest.mark.parametrize("unusual", [{}, {'quo"te': 1}], ids=["in blocks", "one by one"])
def test_null_values_by_stream_and_column(collector, config, run_target, unusual):
    """A trait that is to be cleared stands beside one that is not."""
    streams = ("s", "t", "u")
    rows = [record(name, userId=name, a=None, b=None, c=1, **unusual) for name in streams]
    nulls = {"s": {"a": "send"}, "t": "send"}

    run = run_target(
        {**config, "stream_null_values": nulls}, [*[schema(n, "identify") for n in streams], *rows]
    )

    assert run.exit_code == 0, run.log
    sent = {call.body["userId"]: call.body["traits"] for call in collector.calls}
    c = {"c": 1, **unusual}
    assert sent == {"s": {"a": None, **c}, "t": {"a": None, "b": None, **c}, "u": c}


@pytest.mark.parametrize("empty", [{}, {"bookmarks": {}}])
@pytest.mark.parametrize("processes", [1, 2])
def test_empty_state_is_not_printed_over_a_good_one(config, run_target, processes, empty):
    """The last STATE that says something is the one to start from."""
    nothing = {"type": "STATE", "value": empty}
    messages = [nothing, *STREAM, *_users(3), nothing, *_users(3), nothing]

    run = run_target({**config, "processes": processes}, messages)

    assert run.exit_code == 0
    assert run.states[-1] == STATE
    assert empty not in run.states


def test_only_empty_states_are_still_remembered(config, run_target):
    """Without any bookmark there is nothing to print."""
    run = run_target(config, [{"type": "STATE", "value": {}}, *STREAM[:2]])

    assert (run.exit_code, run.states) == (0, [])


@pytest.mark.parametrize(
    "columns",
    [
        {"traits": {"z": 1}, "z": 2},
        {"traits": {"a": {"b": 1}}, "traits.a.b": 2},
        {"context": {"ip": "1.2.3.4"}, "context.ip": "1.2.3.5"},
        {"integrations": {"All": True}, "integrations.All": False},
    ],
)
@pytest.mark.parametrize("count", [1, 30])
def test_value_that_two_columns_give_is_never_dropped(config, run_target, columns, count):
    """One of an object, and one of its own: a dead letter names the place."""
    rows = [record("s", userId=number, **columns) for number in range(count)]

    run = run_target({**config, "max_rejected_ratio": 1}, [schema("s", "identify"), *rows])

    assert len(run.dead_letters) == count
    assert "Two columns have a value for `" in run.dead_letters[0]["reason"]


def test_object_and_column_for_another_member_are_joined(collector, config, run_target):
    """They do not contradict each other."""
    row = record("s", userId="1", traits={"a": 1}, **{"traits.b": 2}, c=3)

    run = run_target(config, [schema("s", "identify"), row])

    assert run.exit_code == 0
    assert collector.calls[0].body["traits"] == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("count", [1, 30])
def test_metadata_is_known_in_any_case(collector, config, run_target, count):
    """As loaders of other databases write it."""
    gone = [record("s", userId="x", _SDC_DELETED_AT="2026-01-01")] * count
    kept = [record("s", userId="y", _SDC_DELETED_AT=None, _Sdc_Batched_At="z")] * count

    run = run_target(config, [schema("s", "identify"), *gone, *kept])

    assert run.exit_code == 0
    assert {call.body["userId"] for call in collector.calls} == {"y"}
    assert all("traits" not in call.body for call in collector.calls)


@pytest.mark.parametrize("body", ['{"code":"400"}', '{"status":" 503 "}', '{"statusCode":422}'])
def test_failing_status_in_a_body_is_no_delivery(collector, config, run_target, body):
    """As a number or as text."""
    collector.script([{"status": 200, "body": body, "times": None}])

    run = run_target({**config, "max_rejected_ratio": 1}, STREAM)

    assert len(run.dead_letters) == 1


def test_letter_of_another_destination_is_not_sent_to_this_one(
    collector, config, run_target, tmp_path
):
    """One that was renamed is; one whose name is that of something else stays."""
    collector.script([{"status": 400}])
    run_target({**config, "max_rejected_ratio": 1}, STREAM)
    path = tmp_path / "dead_letters.jsonl"
    letter = path.read_text()
    collector.forget()

    path.write_text(letter.replace('"destination":"customerio"', '"destination":"segment"'))
    other = run_target(config, [], "--replay", str(path))
    calls = len(collector.calls)
    path.write_text(letter.replace('"destination":"customerio"', '"destination":"former"'))
    renamed = run_target(config, [], "--replay", str(path))

    assert (other.exit_code, calls, len(other.dead_letters)) == (2, 0, 1)
    assert (renamed.exit_code, len(collector.calls)) == (0, 1)
