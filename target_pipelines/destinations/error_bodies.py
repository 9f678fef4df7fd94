"""Whether the JSON of a successful response says that something failed. Pure.

APIs have no common format; these are the usual ones. What an API repeats of the calls is not looked
at: a trait may be called `error`.
"""

from __future__ import annotations

import re

_SUCCESS_NAMES = frozenset({"success", "succeeded", "issuccess", "ok"})
_ERROR_NAMES = frozenset(
    {"error", "errors", "errormessage", "errorcode", "haserrors", "failed", "failedcount"}
    | {"failure", "failures", "rejected", "rejectedcount", "invalid"}
)
_STATUS_NAMES = frozenset({"status", "statuscode", "code", "result", "outcome"})
_FAILED_WORDS = frozenset({"error", "errored", "fail", "failed", "failure", "invalid", "rejected"})
_FAILED_STATUS = re.compile(r"[45]\d\d(\.0+)?$")
_NO_WORDS = frozenset({"", "0", "false", "no", "none", "null"})
_CONTAINERS = frozenset({"meta", "data", "response", "responses", "result", "results", "items"})
"""Where an API reports about a request, or about each of its calls."""
_MAX_DEPTH = 4


def reports_error(content: object, depth: int = 0) -> bool:
    """Whether a response reports an error, about the request or about one of its calls.

    Such as `{"success": false}`, `{"errors": [...]}`, `{"status": "error"}`, or one of them in
    `meta` or in one of `items`.
    """
    if depth > _MAX_DEPTH:
        return False
    if isinstance(content, list):
        return any(reports_error(item, depth + 1) for item in content)
    if not isinstance(content, dict):
        return False
    return any(_is_error(_plain(name), value, depth) for name, value in content.items())


def _is_error(name: str, value: object, depth: int) -> bool:
    is_no = not value or (isinstance(value, str) and _plain(value) in _NO_WORDS)
    if name in _SUCCESS_NAMES:
        return is_no and value not in (None, "")
    if name in _ERROR_NAMES:
        return not is_no
    if name in _STATUS_NAMES and isinstance(value, (str, int)):
        word = _plain(str(value))
        return word in _FAILED_WORDS or _FAILED_STATUS.match(word) is not None
    return name in _CONTAINERS and reports_error(value, depth + 1)


def _plain(text: str) -> str:
    return text.replace("_", "").replace("-", "").strip().lower()
