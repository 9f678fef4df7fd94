"""Settings: defaults, and all problems at once."""

from __future__ import annotations

from typing import Any

import pytest

from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.settings.table import SDK_SETTINGS, SINGER_SETTINGS, TAP_SETTINGS
from tap_mssql_query.settings.validation import find_problems
from tap_mssql_query.tap import TapMSSQLQuery

SYNC = {"name": "users", "type": "identify", "query": "SELECT 1 AS userId"}
CONFIG = {"host": "db", "syncs": [SYNC]}


def _problems_of(config: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(config)
    return "\n".join(caught.value.problems)


def _with_sync(**changes: object) -> dict[str, Any]:
    return {**CONFIG, "syncs": [{**SYNC, **changes}]}


def test_comments_are_welcome_everywhere() -> None:
    """`$schema` is for editors."""
    comment = {"$schema": "x"}
    config: dict[str, Any] = {**CONFIG, **comment, "syncs": [{**SYNC, **comment}]}
    further: dict[str, Any] = {"$schema": "x", "a": {"host": "h"}}
    config |= {"connection_options": comment, "databases": further}
    assert parse_settings(config).syncs[0].name == "users"


def test_start_from_needs_a_bound() -> None:
    """Without one the first run sends everything, whatever the setting says."""
    assert "`start_from` has no effect" in _problems_of(_with_sync(start_from="now"))
    query = "SELECT 1 AS userId WHERE 1 > {{last_sync_time}}"
    parse_settings(_with_sync(start_from="now", query=query))


def test_defaults() -> None:
    """A host and one sync are enough; everything else has the documented defaults."""
    settings = parse_settings(CONFIG)
    (sync,) = settings.syncs
    assert (settings.reader, sync.timezone, sync.enabled, sync.lookback_seconds) == (
        "auto", "UTC", True, 0,
    )  # fmt: skip
    assert (sync.database.port, sync.database.encrypt) == (1433, "yes")
    assert sync.database.application_intent == "ReadOnly"


def test_dataclass_defaults_are_those_of_the_table() -> None:
    """A missing setting has the default of the table."""
    database = parse_settings(CONFIG).syncs[0].database
    for setting in TAP_SETTINGS:
        if setting.name not in {"host", "syncs"} and hasattr(database, setting.name):
            assert getattr(database, setting.name) == setting.default, setting.name


def test_sync_chooses_a_named_database() -> None:
    """If all syncs name one of `databases`, no default host is needed."""
    config = {"databases": {"crm": {"host": "b"}}, "syncs": [{**SYNC, "database": "crm"}]}
    assert parse_settings(config).syncs[0].database.host == "b"


def test_query_file_is_read(tmp_path: Any) -> None:
    """`query_file` replaces `query`; a byte-order mark is ignored."""
    file = tmp_path / "users.sql"
    file.write_text("\ufeffSELECT 1 AS userId", encoding="utf-8")
    sync = {"name": "users", "type": "identify", "query_file": str(file)}
    assert parse_settings({**CONFIG, "syncs": [sync]}).syncs[0].query == "SELECT 1 AS userId"


def test_start_at_and_frequency_become_seconds() -> None:
    """Times are parsed once; without an offset they are in UTC."""
    sync = parse_settings(_with_sync(frequency="5m", start_at="2026-01-02T03:04:05")).syncs[0]
    assert (sync.frequency_seconds, sync.start_at) == (300, 1_767_323_045)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "The configuration lacks `syncs`."),
        ({"syncs": [SYNC]}, 'Sync "users": its database has no `host`.'),
        ({**CONFIG, "port": "1433"}, "Setting `port` must be of type integer."),
        ({**CONFIG, "encrypt": "maybe"}, "Setting `encrypt` must be one of yes, no, strict."),
        ({**CONFIG, "connection_options": {"UID": "sa"}}, "Setting `connection_options`"),
        ({**CONFIG, "syncs": [SYNC, SYNC]}, '2 syncs are called "users"'),
        (_with_sync(name="a.b"), 'Setting `syncs[0].name` of sync "a.b" must match'),
        (_with_sync(querry="x"), "has unknown keys: querry; known are name,"),
        (_with_sync(querry="x"), "allow_reordering (did you mean `query`?)."),
        (_with_sync(start_from="yesterday"), "`start_from` is neither `now` nor an ISO 8601"),
        (_with_sync(start_from="1901-01-01"), "`start_from` is neither `now` nor an ISO 8601"),
        ({**CONFIG, "trust_server_certificat": True}, "(did you mean `trust_server_certificate`?)"),
        ({**CONFIG, "databases": {"a": {"pasword": "x"}}}, "`databases.a` has unknown keys: paswo"),
        ({**CONFIG, "connection_options": {"PacketSiz": 1}}, "(did you mean `PacketSize`?)"),
        ({**CONFIG, "password": ""}, "Setting `password` must not be empty."),
        ({**CONFIG, "password": "${DB_PASSWORD}"}, "Setting `password` still is a placeholder"),
        ({**CONFIG, "password": "$DB_PASSWORD"}, "Setting `password` still is a placeholder"),
        ({**CONFIG, "host": "${DB_HOST}"}, "Setting `host` still is a placeholder"),
        (
            {**CONFIG, "databases": {"a": {"host": "h", "password": "${P}"}}},
            "Setting `databases.a.password` still is a placeholder",
        ),
        ({**CONFIG, "username": "u"}, "Setting `username` needs a `password`"),
        (_with_sync(database="crm"), "`database` is crm, which is not in `databases`"),
        (_with_sync(query="{{x}}"), "unknown variable {{x}} in its query; known are {{last_sync_"),
        (_with_sync(query_file="x.sql"), "set either `query` or `query_file`"),
        (_with_sync(frequency="10s"), "Setting `syncs[0].frequency` of sync"),
        (_with_sync(timezone="Mars/Olympus"), "`timezone` is not an IANA time zone"),
        (_with_sync(timezone="../etc/passwd"), "`timezone` is not an IANA time zone"),
        (_with_sync(start_at="tomorrow"), "`start_at` is not an ISO 8601 date-time"),
        (_with_sync(lookback_seconds=-1), "Setting `syncs[0].lookback_seconds`"),
        (_with_sync(renamed_from="a b"), "Setting `syncs[0].renamed_from` of sync"),
        (_with_sync(renamed_from="users"), "there still is a sync of that name"),
        (
            {**CONFIG, "syncs": [{**SYNC, "name": n, "renamed_from": "old"} for n in "ab"]},
            '2 syncs have the `renamed_from` "old"',
        ),
        ({**CONFIG, "syncs": "users"}, "Setting `syncs` must be of type array."),
        ({**CONFIG, "syncs": [1]}, "Setting `syncs[0]` must be of type object."),
    ],
)
def test_problem_says_what_and_where(config: dict[str, Any], message: str) -> None:
    """Each problem names the setting, the sync and the expected value."""
    assert message in _problems_of(config)


def test_missing_query_file_is_named() -> None:
    """A missing query file is a configuration problem of its sync."""
    sync = {"name": "users", "type": "identify", "query_file": "no/such.sql"}
    assert "`query_file` cannot be read" in _problems_of({**CONFIG, "syncs": [sync]})


def test_all_problems_are_reported_together() -> None:
    """Schema violations and other problems are reported in one list."""
    config = {
        "host": "db",
        "port": 0,
        "syncs": [
            {**SYNC, "query": "{{x}}"},
            {**SYNC, "timezone": "Mars"},
            {"name": "orders", "type": 3, "query": "SELECT 1"},
        ],
    }
    text = _problems_of(config)
    assert [part in text for part in ("port", "{{x}}", "timezone", "orders", "2 syncs")] == [
        True
    ] * 5


def test_values_are_never_shown() -> None:
    """Neither a message nor a repr contains a password, even one of the wrong type."""
    assert "4711" not in _problems_of({**CONFIG, "password": 4711})
    assert "hunter2" not in repr(parse_settings({**CONFIG, "password": "hunter2"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"authentication": "ActiveDirectoryMsi", "username": "u"},
        {"connection_options": {"Trusted_Connection": "yes"}},
        {"username": "u", "password": "$ecret"},
        {"username": "u", "password": "pa${x}ss"},
        {"$schema": "x", "databases": {"a": {"$schema": "x", "host": "h"}}},
        {"syncs": [{**SYNC, "$schema": "x"}]},
        {"stream_maps": {}, "batch_config": {}, "flattening_enabled": False},
    ],
)
def test_welcome_configuration(changes: dict[str, Any]) -> None:
    """Logins without a password, passwords with a dollar sign, `$schema`, the SDK's settings."""
    parse_settings({**CONFIG, **changes})


def test_every_setting_of_the_sdk_is_known() -> None:
    """Whatever the SDK adds to the tap's settings is no unknown key."""
    schema: dict[str, Any] = {"properties": {}}
    TapMSSQLQuery.append_builtin_config(schema)
    singer = {setting.name for setting in SINGER_SETTINGS}
    assert set(schema["properties"]) <= {*SDK_SETTINGS, *singer}


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("db\\SQLEXPRESS", 'names the instance "SQLEXPRESS"'),
        ("(localdb)\\MSSQLLocalDB", "is LocalDB"),
        ("db:1433", "set `port` to 1433"),
        ("db,1433", "set `port` to 1433"),
        ("tcp:db.example.com,1444", "set `port` to 1444"),
        ("tcp:db", "begins with a protocol"),
        ("[::1]", "has brackets"),
        ("mssql://db", "is a URL"),
        ("db.example.com", ""),
        ("::1", ""),
        ("2001:db8::7", ""),
        ("127.0.0.1", ""),
    ],
)
def test_host_is_a_machine_alone(host, problem):
    """What stands beside it would be ignored: the connection goes to `port`."""
    config = {"host": host, "syncs": [SYNC], "databases": {"crm": {"host": host}}}
    problems = [text for text in find_problems(config) if "host`" in text]

    if problem:
        assert [text.partition(" ")[2].split(" ")[0] for text in problems] == [
            "`host`",
            "`databases.crm.host`",
        ]
        assert all(problem in text for text in problems)
    else:
        assert problems == []
