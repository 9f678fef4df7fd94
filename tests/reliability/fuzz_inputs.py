"""Inputs of every shape, as Hypothesis strategies; fuzz_checks.py has the checks."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import strategies as st

from target_pipelines.plugins.loading import load_plugins

SECRET = "canary-4711"
CALL_TYPES = load_plugins().call_types.names()
KEYS = st.text(max_size=12)  # column names, which messages may quote
TEXTS = st.one_of(st.text(max_size=20), st.just(SECRET), st.sampled_from(["", "users", "1", "\0"]))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**53, 10**30, 1e308]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


# Lines of the target's stdin

NAMES = st.sampled_from(["userId", "anonymousId", "event", "groupId", "timestamp", "context", "x"])
NO_VALUES = st.one_of(st.none(), NUMBERS, KEYS, st.lists(st.one_of(NUMBERS, KEYS), max_size=2))
TYPES = st.one_of(VALUES, VALUES.map(lambda value: {"type": value}))
RECORDS = st.fixed_dictionaries(
    {"type": st.just("RECORD"), "stream": st.sampled_from(["a", "b"])},
    optional={"record": st.dictionaries(st.one_of(NAMES, KEYS), VALUES, max_size=6)},
)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("SCHEMA"), "stream": st.sampled_from(["a", "b"])},
    optional={
        "key_properties": st.one_of(st.just([]), NO_VALUES),
        "schema": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {"properties": st.one_of(st.just({}), st.dictionaries(NAMES, TYPES, max_size=2))},
                optional={
                    "x-call-type": st.one_of(st.sampled_from(CALL_TYPES), NO_VALUES),
                    "x-last-sync-time": st.one_of(st.just(0), VALUES),
                },
            ),
        ),
    },
)
STATES = st.fixed_dictionaries({"type": st.just("STATE")}, optional={"value": VALUES})
PLAIN = st.just(
    {
        "type": "SCHEMA",
        "stream": "a",
        "key_properties": [],
        "schema": {"properties": {}, "x-call-type": "identify", "x-last-sync-time": 0},
    }
)


def _dumped(message: Any) -> bytes:
    return json.dumps(message).encode()


LINES = st.one_of(
    st.one_of(RECORDS, RECORDS, SCHEMAS, STATES, VALUES).map(_dumped),
    st.builds(lambda m, size: _dumped(m)[:size], st.one_of(RECORDS, SCHEMAS), st.integers(0, 200)),
    st.binary(max_size=40),
    st.sampled_from([b"[" * 5000, b'{"a":' * 2000, b'{"type":"RECORD"}', b"NaN"]),
)
SOUND_RECORDS = st.builds(
    lambda known, record: {"type": "RECORD", "stream": "a", "record": {**record, **known}},
    st.sampled_from([{}, {"userId": "u1"}]),
    st.dictionaries(st.one_of(NAMES, KEYS), VALUES, max_size=6),
)
SOUND_STATES = st.builds(
    lambda value: {"type": "STATE", "value": value}, st.dictionaries(KEYS, VALUES, max_size=3)
)
SOUND_LINES = st.one_of(SOUND_RECORDS, SOUND_RECORDS, SOUND_STATES).map(_dumped)
INPUTS = st.builds(
    lambda first, lines: b"\n".join([_dumped(first), *lines]),
    PLAIN,
    st.one_of(st.lists(SOUND_LINES, max_size=6), st.lists(LINES, max_size=6)),
)


# Configurations

TAP_CONFIGS = st.one_of(
    st.dictionaries(TEXTS, VALUES, max_size=5),
    st.fixed_dictionaries(
        {"syncs": st.one_of(VALUES, st.lists(st.fixed_dictionaries({}, optional={
            "name": st.one_of(st.just("users"), SCALARS),
            "type": st.one_of(st.just("identify"), SCALARS),
            "query": st.one_of(st.just("SELECT 1"), VALUES),
            "frequency": SCALARS,
            "start_at": SCALARS,
            "timezone": st.one_of(TEXTS, st.sampled_from(["Europe/Berlin", "../etc", "/etc/x"])),
            "database": SCALARS,
            "key_columns": VALUES,
        }), max_size=3))},
        optional={
            "host": st.one_of(st.just("h"), VALUES),
            "port": SCALARS,
            "password": st.one_of(st.just(SECRET), st.just([SECRET]), st.just({"a": SECRET})),
            "databases": VALUES,
            "connection_options": st.dictionaries(TEXTS, VALUES, max_size=2),
            "encrypt": SCALARS,
        },
    ),
)  # fmt: skip


TARGET_CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "destination": st.one_of(st.sampled_from(["customerio", "webhook", "file"]), SCALARS),
        "write_key": st.sampled_from([SECRET, [SECRET], {"a": SECRET}, f" {SECRET}\n", 4711]),
        "message_id_salt": st.sampled_from([SECRET, [SECRET], None]),
        "endpoint": st.one_of(st.sampled_from(["http://[::1", "http://x:y/", "ftp://x"]), SCALARS),
        "concurrency": SCALARS,
        "batch_max_bytes": SCALARS,
        "processes": st.one_of(st.just(1), st.text(max_size=3), st.floats()),
        "destinations": st.one_of(SCALARS, st.lists(st.fixed_dictionaries({}, optional={
            "destination": st.just("segment"), "name": NUMBERS, "write_key": st.just([SECRET]),
        }), max_size=3)),
        "call_types": VALUES,
        "blocked_plugins": VALUES,
    },
)  # fmt: skip


# The rest

STATE_VALUES = st.one_of(
    VALUES,
    st.builds(
        lambda value: {"bookmarks": {"users": {"last_sync_time": value}}},
        st.one_of(VALUES, st.integers(-(10**6), 10**12)),
    ),
    st.builds(lambda value: {"bookmarks": {"users": value}}, VALUES),
)


RETRY_AFTERS = st.one_of(
    st.text(), st.integers().map(str), st.datetimes().map(lambda d: f"{d:%c} +9999")
)
RESPONSES = st.tuples(
    st.integers(100, 999), st.one_of(st.binary(), VALUES.map(_dumped), TEXTS.map(str.encode))
)
ODD = st.text(st.sampled_from("{};=}'\" aé€😀\\%PWD"), max_size=25)
CONNECTION_VALUES = st.tuples(ODD, ODD, ODD)
JSON_TEXTS = st.lists(st.one_of(st.text(), VALUES.map(json.dumps), st.text('[{"0e.,')))
WORDS = st.sampled_from(
    [
        "SELECT",
        "DELETE",
        "FROM",
        "users",
        "EXEC",
        "INTO",
        "/*",
        "*/",
        "--",
        "'",
        '"',
        "[",
        "]",
        ";",
        "{{last_sync_time}}",
        "{{ sync_datetime }}",
        "{{x}}",
        "{{",
        "}}",
        "\n",
        "\x00",
        "1",
    ]
)
QUERIES = st.one_of(
    st.lists(WORDS, max_size=12).map(" ".join),
    st.lists(WORDS, max_size=4).map(lambda words: " ".join(["SELECT 1 FROM users", *words])),
    st.text(string.printable),
)
