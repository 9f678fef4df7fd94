"""Inputs of every shape: no crash, no hang, no secret in a message, and only documented errors.

RELIABILITY_CASES says how many inputs of each kind; a soak takes 100,000.
"""

from __future__ import annotations

import io
import json
import logging
import string
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_mssql_query import bookmarks
from tap_mssql_query.column_types import Column, Kind
from tap_mssql_query.database import connection_string
from tap_mssql_query.errors import ConfigurationError, QueryFailed, StateError
from tap_mssql_query.json_lines import dump_record
from tap_mssql_query.query import SyncTimes, find_unknown_variables, render_query
from tap_mssql_query.query_safety import refuse_writing
from tap_mssql_query.records import Changes, records_of
from tap_mssql_query.run_options import RunOptions
from tap_mssql_query.settings import parse_settings
from tap_mssql_query.window import find_window
from target_pipelines.assembly import build_pipeline
from target_pipelines.configuration import load_configuration
from target_pipelines.errors import ConfigurationError as TargetConfigurationError
from target_pipelines.errors import DeliveryError, PipelinesError, TooManyRejected
from target_pipelines.line_reader import read_blocks
from target_pipelines.pipeline import running
from target_pipelines.report import RunReport
from target_pipelines.retry_policy import Outcome, parse_retry_after
from tests.reliability.amounts import amount
from tests.reliability.answers import NOW, PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_pipelines.configuration import Configuration

pytestmark = pytest.mark.timeout(amount(120, 7200))
SECRET = "canary-4711"
FUZZ = settings(
    max_examples=amount(150, 100_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
KEYS = st.text(max_size=12)  # names of columns, which messages may quote
TEXTS = st.one_of(st.text(max_size=20), st.just(SECRET), st.sampled_from(["", "users", "1", "\0"]))
_E = TypeVar("_E", bound=Exception)
DOCUMENTED = (DeliveryError, TargetConfigurationError, TooManyRejected)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**53, 10**30, 1e308]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    """All that is logged, at every level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


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
                    "x-call-type": st.one_of(
                        st.sampled_from(["identify", "track", "group", "page", "alias"]), NO_VALUES
                    ),
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
INPUTS = st.builds(
    lambda first, lines: b"\n".join([_dumped(first), *lines]), PLAIN, st.lists(LINES, max_size=6)
)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory) -> Configuration:
    """A target that writes to a file."""
    folder = tmp_path_factory.mktemp("fuzz")
    return load_configuration(
        {
            "destination": "file",
            "output_path": str(folder / "calls"),
            "dead_letter_path": str(folder / "letters"),
            "write_key": SECRET,
        }
    )


def _error_of(kind: type[_E], call: Callable[[], object]) -> _E | None:
    """The error of this kind that a call raises; what else it raises is a crash."""
    try:
        call()
    except kind as error:
        return error
    return None


@FUZZ
@given(INPUTS)
def test_any_input_ends_in_a_documented_way(configuration, log, data):
    """Whatever comes in, the target delivers, or ends with an error that tells nothing."""
    pipeline = build_pipeline(
        configuration,
        reports={route.destination_name: RunReport() for route in configuration.routes},
        write_state=lambda _: None,
        check_interrupted=lambda: None,
    )
    log.truncate(0)

    def run() -> None:
        with running(pipeline):
            for block in read_blocks(io.BytesIO(data)):
                pipeline.process(block)

    error = _error_of(PipelinesError, run)

    assert error is None or isinstance(error, DOCUMENTED), error
    assert SECRET not in f"{error}{log.getvalue()}"


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


def _as_json(config: Any) -> Any:
    """What a configuration file can hold."""
    return json.loads(json.dumps(config))


def _without(config: dict[str, Any], *secrets: str) -> str:
    """What is no secret of a configuration: names and words that a message may quote."""
    return json.dumps({key: value for key, value in config.items() if key not in secrets})


@FUZZ
@given(TAP_CONFIGS)
def test_any_configuration_of_the_tap_is_taken_or_explained(config):
    """Wrong settings are listed, without what a secret one holds."""
    config = _as_json(config)
    error = _error_of(ConfigurationError, lambda: parse_settings(config))

    assert SECRET not in str(error) or SECRET in _without(config, "password")


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


@settings(FUZZ, max_examples=amount(40, 20_000))  # plugins are loaded each time
@given(TARGET_CONFIGS)
def test_any_configuration_of_the_target_is_taken_or_explained(config):
    """Wrong settings are listed, without what a secret one holds."""
    config = _as_json(config)
    error = _error_of(PipelinesError, lambda: load_configuration(config))

    assert error is None or error.exit_code in (2, 6)
    secrets = ("write_key", "message_id_salt", "destinations")
    assert SECRET not in str(error) or SECRET in _without(config, *secrets)


# State files

SYNC = parse_settings(
    {"host": "h", "syncs": [{"name": "users", "type": "identify", "query": "SELECT 1"}]}
).syncs[0]
STATE_VALUES = st.one_of(
    VALUES,
    st.builds(
        lambda value: {"bookmarks": {"users": {"last_sync_time": value}}},
        st.one_of(VALUES, st.integers(-(10**6), 10**12)),
    ),
    st.builds(lambda value: {"bookmarks": {"users": value}}, VALUES),
)


@FUZZ
@given(STATE_VALUES)
def test_any_state_is_used_or_refused(state):
    """A bookmark becomes a number between 0 and now, or an error; never SQL, never a guess."""
    state = _as_json(state)

    def read() -> None:
        bookmarks.check_state(state)
        times = find_window(SYNC, RunOptions(), state, now=1_800_000_000)
        assert times is not None
        stored = state.get("bookmarks", {}).get("users", {}).get("last_sync_time", 0)
        assert times.last_sync_time == stored
        assert 0 <= times.last_sync_time <= times.sync_time

    error = _error_of(StateError, read)

    assert SECRET not in str(error) or SECRET in state["bookmarks"]  # the name of a sync


# HTTP


@FUZZ
@given(st.one_of(st.text(), st.integers().map(str), st.datetimes().map(lambda d: f"{d:%c} +9999")))
def test_any_retry_after_gives_a_bounded_wait(value):
    """Nothing, or between 0 and 300 s."""
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= 300


@FUZZ
@given(st.integers(100, 999), st.one_of(st.binary(), VALUES.map(_dumped), TEXTS.map(str.encode)))
def test_any_body_is_judged(status, body):
    """Every profile comes to an outcome, whose words hold nothing of the body."""
    for profile in (PROFILES[kind][0] for kind in PROFILES):
        outcome = profile.judge(status, {}, body, now=NOW)

        assert isinstance(outcome, Outcome)
        assert SECRET not in repr(outcome)


# Connections


def _parse_connection_string(text: str) -> dict[str, str]:
    """As ODBC defines it: `name={value};`, a closing brace doubled within the value."""
    found = {}
    while text:
        name, _, text = text.partition("={")
        value = ""
        while True:
            part, _, text = text.partition("}")
            value += part
            if not text.startswith("}"):
                break
            value, text = value + "}", text[1:]
        assert text.startswith(";")
        found[name] = value
        text = text[1:]
    return found


ODD = st.text(st.sampled_from("{};=}'\" aé€😀\\%PWD"), max_size=25)


@FUZZ
@given(st.lists(ODD, min_size=3, max_size=3))
def test_no_value_breaks_out_of_a_connection_string(values):
    """Each keyword keeps its own value, whatever that is."""
    keywords = dict(zip(("Server", "UID", "PWD"), values, strict=True))

    assert _parse_connection_string(connection_string(keywords)) == keywords


# Rows and queries


@FUZZ
@given(st.lists(st.one_of(st.text(), VALUES.map(json.dumps), st.text('[{"0e.,'))))
def test_any_text_of_a_json_column_becomes_a_line(texts):
    """Parsed or as text, each row is one line of valid JSON."""
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    block = pa.RecordBatch.from_pydict({"j": pa.array(texts, pa.large_string())})

    for record in records_of(block, [Column("j", Kind.JSON)], "UTC", Changes()):
        line = dump_record("s", record)
        assert line.count(b"\n") == 1
        json.loads(line)


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
TIMES = SyncTimes(1, 2)


@FUZZ
@given(st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(string.printable)))
def test_any_query_is_rendered_and_looked_at(query):
    """A query is refused or run; no variable is left in what is run."""
    if find_unknown_variables(query):
        return
    sql = render_query(query, TIMES)

    error = _error_of(QueryFailed, lambda: refuse_writing(sql))

    assert "{{last_sync_time}}" not in sql
    assert error is not None or not sql.lstrip().startswith(("DELETE", "EXEC"))


def test_fuzz_reaches_what_it_should(configuration):
    """The plugins are there, so that mapping is fuzzed rather than a missing call type."""
    assert {"identify", "track"} <= set(configuration.plugins.call_types.names())
