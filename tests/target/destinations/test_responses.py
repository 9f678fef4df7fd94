from __future__ import annotations

from datetime import UTC, datetime

import pytest

from target_pipelines.api.outcomes import Delivered, Fatal, Rejected, Retry
from target_pipelines.destinations.responses import (
    MAX_RETRY_AFTER_SECONDS,
    classify_response,
    parse_retry_after,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STATUSES = [
    *((status, Delivered) for status in (200, 201, 202, 204)),
    *((status, Fatal) for status in (301, 302, 308, 401, 403, 404, 406, 412, 431, 451)),
    *((status, Rejected) for status in (400, 413, 418, 422)),
    *((status, Retry) for status in (408, 409, 421, 423, 425, 429)),
    *((status, Retry) for status in (500, 501, 502, 503, 504, 522, 524, 599)),
]


@pytest.mark.parametrize(("status", "outcome"), STATUSES)
@pytest.mark.parametrize("body", [b"", b"{}", b'{"success":true}', b" ok "])
def test_status_decides(status, outcome, body):
    """The status classifies successes, redirects, rejections and transient errors."""
    assert isinstance(classify_response(status, {}, body, now=NOW), outcome)


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 5000, b'{"success":true}'])
def test_body_of_an_error_is_ignored(status, body):
    """Only the status of an error counts."""
    expected = classify_response(status, {}, b"", now=NOW)

    assert classify_response(status, {}, body, now=NOW) == expected


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"\xff\xfe", b"[" * 5000])
def test_success_with_a_foreign_body_is_fatal(body):
    """A 200 that is not JSON comes from a proxy or a login page: nothing was delivered."""
    assert isinstance(classify_response(200, {}, body, now=NOW), Fatal)


def test_success_that_reports_failure_is_a_rejection():
    """`success: false` is not an acknowledgement."""
    assert isinstance(classify_response(200, {}, b'{"success":false}', now=NOW), Rejected)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3),
        (" 3 ", 3),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0),
        ("99999999999999999999", MAX_RETRY_AFTER_SECONDS),
        ("Fri, 02 Jan 2099 03:04:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_and_capped(value, seconds):
    """Seconds and dates are honoured up to a limit; invalid values are ignored."""
    assert parse_retry_after(value, NOW) == seconds


def test_retry_after_reaches_the_outcome():
    """The outcome carries the Retry-After of the response."""
    outcome = classify_response(429, {"Retry-After": "7"}, b"", now=NOW)

    assert outcome == Retry("HTTP 429", 7, status=429)


REPORTED = [
    b'{"success": false}',
    b'{"success": "false"}',
    b'{"ok": 0}',
    b'{"Is_Success": "False"}',
    b'{"errors": [{"index": 3}]}',
    b'{"errors": {"3": "x"}}',
    b'{"error": "x"}',
    b'{"error": true}',
    b'{"failed_count": 2}',
    b'{"status": "error"}',
    b'{"status": 422}',
    b'{"code": "Failure"}',
    b'{"success": true, "errors": ["x"]}',
    b'{"meta": {"errors": ["x"]}}',
    b'{"data": {"results": [{"ok": true}, {"ok": false}]}}',
    b'{"items": [{"status": 201}, {"status": 422}]}',
    b'[{"status": "ok"}, {"status": "error"}]',
]
UNREPORTED = [
    b'{"success": null}',
    b'{"success": "true", "errors": []}',
    b'{"errors": {}, "error": null, "failed": 0, "failed_count": "0"}',
    b'{"error": "", "errorCode": 0, "status": "success", "code": 0}',
    b'{"status": 200, "code": "ok", "message": "no error"}',
    b'{"traits": {"error": "x", "status": "failed"}, "batch": [{"success": false}]}',
    b"[" * 500 + b"]" * 500,
    b"[]",
    b"false",
    b'"error"',
]


@pytest.mark.parametrize("body", REPORTED)
@pytest.mark.parametrize("status", [200, 202])
def test_success_that_reports_an_error_is_no_delivery(status, body):
    """The batch is split until the call that the API refused is alone."""
    assert isinstance(classify_response(status, {}, body, now=NOW), Rejected)


@pytest.mark.parametrize("body", UNREPORTED)
def test_success_that_reports_none_is_a_delivery(body):
    """Nor does an error count that the API repeats of the calls."""
    assert isinstance(classify_response(200, {}, body, now=NOW), Delivered)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"success": true}', b"ok"])
def test_answer_for_each_call_is_unknown(body):
    """Whether a 207 delivers a call stands in its body, which each API writes differently."""
    assert isinstance(classify_response(207, {}, body, now=NOW), Fatal)


def test_rejected_key_hints_at_the_region():
    """An account of another region has the same kind of key."""
    assert "`region`" in repr(classify_response(401, {}, b"", now=NOW))
