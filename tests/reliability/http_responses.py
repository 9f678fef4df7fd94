"""Every HTTP status with every kind of body and Retry-After, and the outcome that each must have.

The expected outcomes in http_responses.tsv were taken from docs/destinations.md and the APIs'
documentation, not from the code.
"""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from target_pipelines.api.outcomes import Delivered, Fatal, Rejected, Retry
from target_pipelines.destinations import (
    customerio,
    hightouch,
    jitsu,
    rudderstack,
    segment,
    webhook,
)
from tests.reliability.raw_responses import RawResponses, raw_responses
from tests.reliability.registry import Soak, SoakRow, run_cases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_pipelines.destinations.http import HttpProfile

Cell = tuple[str, int, str, str | None]
"""Key of PROFILES, status, key of BODIES, Retry-After."""
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
CANARY = "canary-4711"
OUTCOMES = {"delivered": Delivered, "retry": Retry, "rejected": Rejected, "fatal": Fatal}
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
# As RFC 9110 defines it: seconds or a date. At most 300 s are waited; invalid values are ignored.
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
    text = Path(__file__).with_name("http_responses.tsv").read_text()
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


CELLS: list[Cell] = list(itertools.product(PROFILES, STATUSES, BODIES, RETRY_AFTER))


def check_cell(cell: Cell) -> None:
    """Check that each profile finds the documented outcome and wait, and quotes nothing."""
    kind, status, body, retry_after = cell
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    for profile in PROFILES[kind]:
        found = profile.classify(status, headers, BODIES[body], now=NOW)
        waits = found.after_seconds if isinstance(found, Retry) else None
        assert (type(found), waits) == _expected(kind, status, body, retry_after), profile.name
        assert CANARY not in repr(found)


# Over the wire


def _has_no_body(status: int) -> bool:
    """Whether a response with this status never has a body (RFC 9112, 6.3)."""
    return status in (204, 304)


WIRE_CELLS: list[Cell] = [
    (kind, status, body, list(RETRY_AFTER)[number % len(RETRY_AFTER)])
    for number, (kind, status, body) in enumerate(itertools.product(PROFILES, STATUSES, BODIES))
    if status >= 200  # lower ones are interim responses
]


def check_over_wire(server: RawResponses, cell: Cell) -> None:
    """Check the outcome of the same response as bytes on a connection, through the whole client."""
    kind, status, body, retry_after = cell
    retry_header = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    head = f"HTTP/1.1 {status} X\r\n{retry_header}Content-Length: {len(BODIES[body])}\r\n\r\n"
    found = server.classify(head.encode() + BODIES[body], PROFILES[kind][0])
    seen_body = "empty" if _has_no_body(status) else body
    expected, seconds = _expected(kind, status, seen_body, retry_after)
    waits = found.after_seconds if isinstance(found, Retry) else None
    is_date = ":" in (retry_after or "")  # relative to the real time, not to NOW
    assert type(found) is expected, found
    assert waits == seconds or is_date, found


def soak(soak: Soak) -> Iterable[SoakRow]:
    """All cells through the pure policy, and each status with each body over the wire."""
    yield run_cases(soak, "HTTP responses: policy", CELLS, check_cell)
    with raw_responses() as server:
        yield run_cases(
            soak, "HTTP responses: wire", WIRE_CELLS, lambda cell: check_over_wire(server, cell)
        )
