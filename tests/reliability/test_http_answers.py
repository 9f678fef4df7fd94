"""Every status with every shape of body and every Retry-After, against the golden answers.tsv.

The table was written from docs/destinations.md and the APIs' documents, not from the code.
"""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from target_pipelines.destinations import (
    customerio,
    hightouch,
    jitsu,
    rudderstack,
    segment,
    webhook,
)
from target_pipelines.retry_policy import Delivered, Refused, Retry, Stop
from tests.reliability.amounts import some_of
from tests.reliability.raw_answers import RawAnswers, raw_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_pipelines.destinations.http import HttpProfile

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
CANARY = "canary-4711"
OUTCOMES = {"delivered": Delivered, "retry": Retry, "refused": Refused, "stop": Stop}
COMMON = (customerio.PROFILE, segment.PROFILE, rudderstack.PROFILE, hightouch.PROFILE)
PROFILES: dict[str, tuple[HttpProfile, ...]] = {
    "common": COMMON,
    "jitsu": (jitsu.PROFILE,),
    "webhook": (webhook.PROFILE,),
}
BODIES = {
    "empty": b"",
    "blank": b" \r\n",
    "ok": b"OK\n",
    "object": b"{}",
    "success_true": b'{"success": true}',
    "success_false": b'{"success": false, "x": "canary-4711"}',
    "code": b'{"code": "invalid", "message": "canary-4711"}',
    "errors": b'{"meta": {"errors": ["canary-4711"]}}',
    "html": b"<html>canary-4711</html>",
    "text": b"canary-4711 received",
    "binary": b"\xff\xfe\x00\x81canary-4711",
    "broken": b'{"success": tr',
    "deep": b"[" * 20_000,
    "number": b"1",
    "null": b"null",
    "array": b"[1, 2]",
    "error": b'{"ok": true, "error": "canary-4711"}',
}
# As RFC 9110 defines it: seconds or a date; at most 300 s are waited; nonsense is ignored.
RETRY_AFTER: dict[str | None, float | None] = {
    None: None,
    "0": 0,
    "17": 17,
    "300": 300,
    "301": 300,
    "99999999999999999999999": 300,
    "-1": None,
    "1.5": None,
    "1e3": None,
    "Infinity": None,
    "canary-4711": None,
    "": None,
    "Tue, 24 Nov 2026 12:00:42 GMT": 42,
    "Tue, 24 Nov 2026 11:00:00 GMT": 0,
    "Tue, 24 Nov 2099 12:00:00 GMT": 300,
    "Tue, 24 Nov 2026 13:00:42 +0100": 42,
    "5, 7": None,
}
STATUSES = [
    *(100, 101, 102, 103, 199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299),
    *(300, 301, 302, 303, 304, 305, 306, 307, 308, 399),
    *range(400, 432),
    *(440, 444, 449, 450, 451, 460, 463, 494, 495, 496, 497, 498, 499),
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 520, 521, 522, 523, 524),
    *(525, 526, 527, 529, 530, 561, 598, 599, 600, 999),
]


def _read_table() -> dict[tuple[str, int, str], str]:
    """Profile, status and body → outcome."""
    text = Path(__file__).with_name("answers.tsv").read_text()
    table: dict[tuple[str, int, str], str] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        first, _, last = row["status"].partition("-")
        for status in range(int(first), int(last or first) + 1):
            table |= {(row["profile"], status, body): row[body] for body in BODIES}
    return table


TABLE = _read_table()


def _expected(profile: str, status: int, body: str, retry_after: str | None) -> tuple[type, object]:
    outcome = OUTCOMES[TABLE[profile, status, body]]
    return outcome, RETRY_AFTER[retry_after] if outcome is Retry else None


def test_every_answer_is_judged_as_documented():
    """More than 20,000 cells: the outcome, and how long to wait."""
    cells = list(itertools.product(PROFILES, STATUSES, BODIES, RETRY_AFTER))
    wrong = []
    for kind, status, body, retry_after in cells:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        for profile in PROFILES[kind]:
            found = profile.judge(status, headers, BODIES[body], now=NOW)
            waits = found.after_seconds if isinstance(found, Retry) else None
            if (type(found), waits) != _expected(kind, status, body, retry_after):
                wrong.append((profile.name, status, body, retry_after, found))

    assert len(cells) > 20_000
    assert wrong == []


def test_no_reason_quotes_an_answer():
    """Reasons go to logs and dead letters; a server may answer with anything."""
    for status, body in itertools.product(STATUSES, BODIES.values()):
        for profile in itertools.chain(*PROFILES.values()):
            found = profile.judge(status, {"Retry-After": CANARY}, body, now=NOW)
            assert CANARY not in repr(found)


# Over the wire


@pytest.fixture(scope="module")
def server() -> Iterator[RawAnswers]:
    """A server that answers with given bytes."""
    with raw_answers() as server:
        yield server


def _has_no_body(status: int) -> bool:
    """Whatever follows such a head is no part of the answer (RFC 9112, 6.3)."""
    return status in (204, 304)


CELLS = [
    (kind, status, body, list(RETRY_AFTER)[number % len(RETRY_AFTER)])
    for number, (kind, status, body) in enumerate(itertools.product(PROFILES, STATUSES, BODIES))
    if status >= 200  # those below are not the end of an answer
]


@pytest.mark.parametrize("cells", [some_of(CELLS, 60)], ids=["some"])
def test_answers_over_the_wire_are_judged_the_same(server, cells):
    """From bytes on a connection to the outcome, through the whole client."""
    wrong = []
    for kind, status, body, retry_after in cells:
        asks = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
        head = f"HTTP/1.1 {status} X\r\n{asks}Content-Length: {len(BODIES[body])}\r\n\r\n"
        found = server.judge(head.encode() + BODIES[body], PROFILES[kind][0])
        shown = "empty" if _has_no_body(status) else body
        expected, seconds = _expected(kind, status, shown, retry_after)
        waits = found.after_seconds if isinstance(found, Retry) else None
        is_date = ":" in (retry_after or "")  # counted from the real time, not from the test's
        if type(found) is not expected or (waits != seconds and not is_date):
            wrong.append((kind, status, body, retry_after, found))

    assert wrong == []
