from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from acme_sqlite import DESTINATION, SqliteSender

from target_pipelines import ConfigurationError, Delivered, EncodedCall, Retry, TargetSettings
from target_pipelines.testing import check_plugin


def _open(path):
    options = {"database_path": str(path)}
    return DESTINATION.open(TargetSettings(destination="acme_sqlite", destination_options=options))


def _call(number):
    body = b'{"messageId":"m%d","type":"identify","userId":"7"}' % number
    return EncodedCall(body, "users", "identify", "7", epoch=0)


def test_plugin_can_be_loaded():
    """Its hooks and names are right."""
    check_plugin("acme_sqlite")


def test_calls_become_rows(tmp_path):
    """A repeated call is stored once."""
    path = tmp_path / "calls.db"
    sender = _open(path).open_sender()

    outcomes = [sender.send([_call(1), _call(2)]), sender.send([_call(2)])]
    sender.close()

    assert outcomes == [Delivered(), Delivered()]
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT message_id, type FROM calls").fetchall()
    assert sorted(rows) == [("m1", "identify"), ("m2", "identify")]


def test_locked_database_is_retried(tmp_path):
    """Another program may be writing."""
    path = tmp_path / "calls.db"
    _open(path)
    sender = SqliteSender(str(path), timeout_seconds=0.01)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        outcome = sender.send([_call(1)])
    sender.close()

    assert outcome == Retry("the database is locked")


def test_unusable_path_is_a_configuration_error(tmp_path):
    """It is reported before anything is read."""
    with pytest.raises(ConfigurationError, match="database_path"):
        _open(tmp_path)
