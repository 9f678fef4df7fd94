"""The contract of a destination: one function for each promise.

The checks of limits, delivery and closing apply to any destination, the others to HTTP only.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from program_kit.exact_json import decode_object, encode_json
from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, Rejected, Retry
from target_pipelines.delivery.batching import CallQueue
from target_pipelines.testing.call_types import CANARY
from target_pipelines.testing.destination_cases import CALLS, DestinationCase, make_call
from target_pipelines.testing.recording_server import RecordingServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall, Limits

OUTCOME_BY_STATUS: Mapping[int, type[Outcome]] = {
    **dict.fromkeys((400, 413, 422), Rejected),
    **dict.fromkeys((401, 403, 404), Fatal),
    **dict.fromkeys((408, 429, 500, 502, 503, 504), Retry),
}
"""The outcome that an HTTP status must have, whatever the body."""
REDIRECTS = (301, 302, 303, 307, 308)

_BODIES = ("", "<html>Sign in</html>", '{"success": true}', "\x00")
_TIMEOUT_SECONDS = 0.3
_RETRY_AFTER_SECONDS = 7


def check_settings(case: DestinationCase) -> None:
    """Complete settings have no problems; problems are sentences without the write key."""
    problems = list(case.destination.find_problems(case.settings))
    case.require(not problems, f"finds problems in complete settings: {' '.join(problems)}")
    for change in ({"write_key": None}, {"write_key": f"{CANARY}\n"}, {"endpoint": None}):
        for problem in case.destination.find_problems(replace(case.settings, **change)):
            case.require(
                problem.endswith(".") and problem.isprintable() and CANARY not in problem,
                f"must describe a problem in one line, without the key, not {type(problem)}",
            )


def check_limits(case: DestinationCase) -> None:
    """A batch has room for at least one call, and no limit is negative."""
    with case.open() as (opened, _):
        limits, lanes = opened.limits, opened.max_lanes
    case.require(
        limits.call_max_bytes > 0 and limits.envelope_bytes >= 0 and limits.separator_bytes >= 0,
        "has limits that are not sizes",
    )
    case.require(
        limits.batch_max_calls != 0 and limits.requests_per_second != 0 and lanes != 0,
        "has a limit of 0: None means no limit",
    )


def check_own_limits(case: DestinationCase) -> None:
    """The largest call fits into a batch, and the settings can lower every limit."""
    with case.open() as (opened, _):
        limits = opened.limits
    case.require(
        limits.call_max_bytes + limits.envelope_bytes <= limits.batch_max_bytes
        or limits.batch_max_calls == 1,
        "accepts calls that fit into no batch: lower `call_max_bytes`",
    )
    lower = {"call_max_bytes": 900, "batch_max_bytes": 1000, "batch_max_calls": 1}
    with case.open(**lower) as (opened, _):
        for name, value in lower.items():
            case.require(getattr(opened.limits, name) == value, f"ignores the setting `{name}`")


def check_delivery(case: DestinationCase) -> None:
    """Calls arrive byte for byte and in order, batch after batch."""
    _check_arrival(case, list(CALLS))


def check_full_batch(case: DestinationCase) -> None:
    """A batch as large as the limits allow is delivered."""
    with case.open() as (opened, _):
        limits = opened.limits
    call = make_call("track", 1, event="e", properties={"text": ""})
    room = min(limits.call_max_bytes, limits.batch_max_bytes - limits.envelope_bytes)
    text = "x" * (room - len(call.body))
    largest = make_call("track", 1, event="e", properties={"text": text})
    _check_arrival(case, [largest, *_fill(limits)])


def check_repeat(case: DestinationCase) -> None:
    """A repeated batch is the same request, so that the API can recognise it."""
    before = len(case.server.received())
    case.server.script([{"status": 503}])
    with case.open() as (opened, sender):
        batch = CallQueue(opened.limits, CALLS).take_batch()
        outcomes = [sender.send(batch), sender.send(batch)]
    first, second = case.server.received()[before:]
    case.require(
        isinstance(outcomes[1], Delivered), f"did not deliver a repeated batch: {outcomes[1]}"
    )
    case.require(
        (first.path, first.body) == (second.path, second.body),
        "made different requests of one batch: leave out time, chance and counters",
    )


def check_status(case: DestinationCase, status: int) -> None:
    """The status determines the outcome, whatever the body."""
    expected = OUTCOME_BY_STATUS[status]
    for body in _BODIES:
        outcome = case.send_one({"status": status, "body": body})
        case.require(
            isinstance(outcome, expected),
            f"makes {type(outcome).__name__} of HTTP {status}, not {expected.__name__}",
        )
        case.require(CANARY not in repr(outcome), f"shows its key with HTTP {status}")


def check_retry_after(case: DestinationCase) -> None:
    """Retry-After becomes `after_seconds`."""
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    outcome = case.send_one({"status": 429, "headers": headers})
    case.require(
        isinstance(outcome, Retry) and outcome.after_seconds == _RETRY_AFTER_SECONDS,
        "does not return Retry-After as `after_seconds`",
    )


def check_redirect(case: DestinationCase, status: int) -> None:
    """A redirect is not followed: it would send the calls and the key elsewhere."""
    before = len(case.server.received())
    headers = {"Location": f"{case.server.url}/elsewhere"}
    outcome = case.send_one({"status": status, "headers": headers})
    case.require(len(case.server.received()) == before + 1, f"follows a redirect ({status})")
    case.require(isinstance(outcome, Fatal), f"does not stop at a redirect ({status})")


def check_page(case: DestinationCase) -> None:
    """A success with a web page comes from a proxy or a login page: nothing was delivered."""
    page = "<!DOCTYPE html><html><body>Sign in</body></html>"
    outcome = case.send_one({"status": 200, "body": page})
    case.require(not isinstance(outcome, Delivered), "takes a web page as an acknowledgement")


def check_no_response(case: DestinationCase) -> None:
    """Without a response the batch is retried, and the sender keeps working."""
    case.server.script([{"drop": "before"}])
    with case.open() as (_, sender):
        outcomes = {"a broken connection": sender.send(CALLS[:1])}
        after = sender.send(CALLS[1:2])
    case.require(isinstance(after, Delivered), "does not recover from a broken connection")
    slow = {"delay_seconds": 5 * _TIMEOUT_SECONDS}
    outcomes["a timeout"] = case.send_one(slow, timeout_seconds=_TIMEOUT_SECONDS)
    with RecordingServer() as gone:
        pass
    with case.open(endpoint=gone.url) as (_, sender):
        outcomes["a refused connection"] = sender.send(CALLS[:1])
    for kind, outcome in outcomes.items():
        case.require(isinstance(outcome, Retry), f"makes {type(outcome).__name__} of {kind}")
        case.require(CANARY not in repr(outcome), f"shows its key with {kind}")


def check_secrets(case: DestinationCase) -> None:
    """The key is in no repr, URL or log line."""
    shown: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with case.open() as (opened, sender):
            sender.send(CALLS[:1])
            shown += [repr(opened), repr(sender), repr(opened.limits)]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    shown += [request.path for request in case.server.received()]
    case.require(CANARY not in "".join(shown), "shows its key in a repr, URL or log line")


def check_close(case: DestinationCase) -> None:
    """Closing twice is harmless, and the destination can be opened again."""
    for _ in range(2):
        with case.open() as (opened, sender):
            outcome = sender.send(CALLS[:1])
            sender.close()
            opened.close()
        case.require(isinstance(outcome, Delivered), f"cannot be opened again: {outcome}")


def _check_arrival(case: DestinationCase, calls: Sequence[EncodedCall]) -> None:
    before = len(case.server.received())
    with case.open() as (opened, sender):
        waiting = CallQueue(opened.limits, calls)
        while batch := waiting.take_batch():
            outcome = sender.send(batch)
            case.require(isinstance(outcome, Delivered), f"did not deliver a batch: {outcome}")
    content = b"\n".join(request.content for request in case.server.received()[before:])
    position = 0
    for call in calls:
        body = _sent_of(case, call)
        found = content.find(body, position)
        case.require(found >= 0, "lost a call, changed its bytes or changed the order")
        position = found + len(body)


def _sent_of(case: DestinationCase, call: EncodedCall) -> bytes:
    """What arrives of a call: its bytes, unless a profile gives it another shape."""
    reshape = getattr(case.destination.profile, "reshape", None)
    return encode_json(reshape(decode_object(call.body))) if reshape else call.body


def _fill(limits: Limits) -> Iterator[EncodedCall]:
    """Enough small calls to fill a batch, and one more."""
    count = limits.batch_max_calls or limits.batch_max_bytes
    size = limits.envelope_bytes
    for number in range(count + 1):
        call = make_call("track", number, event="e")
        yield call
        size += len(call.body) + limits.separator_bytes
        if size > limits.batch_max_bytes:
            return


CHECKS: Mapping[str, Callable[[DestinationCase], None]] = {
    "settings": check_settings,
    "limits": check_limits,
    "own limits": check_own_limits,
    "delivery": check_delivery,
    "full batch": check_full_batch,
    "repeat": check_repeat,
    "retry after": check_retry_after,
    "page": check_page,
    "no response": check_no_response,
    "secrets": check_secrets,
    "close": check_close,
    **{f"status {status}": partial(check_status, status=status) for status in OUTCOME_BY_STATUS},
    **{f"redirect {status}": partial(check_redirect, status=status) for status in REDIRECTS},
}
"""All checks by name."""
