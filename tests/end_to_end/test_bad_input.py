from __future__ import annotations

import pytest

USERS = {"name": "users", "type": "identify", "query": "SELECT id AS userId FROM users"}


def _sync(**changes):
    return {**USERS, **changes}


CASES = {
    "wrong password": ({"password": "c4n4ry"}, [USERS], 3, "password"),
    "unknown database": ({"database": "nowhere"}, [USERS], 3, "nowhere"),
    "unreachable host": ({"port": 1, "login_timeout_seconds": 1}, [USERS], 3, "127.0.0.1:1"),
    "unknown variable": ({}, [_sync(query="SELECT {{last_sink_time}}")], 2, "{{last_sink_time}}"),
    "unknown call type": ({}, [_sync(type="wave")], 2, 'call type "wave"'),
    "two syncs of one name": ({}, [USERS, USERS], 2, '2 syncs are called "users"'),
    "syntax error": ({}, [_sync(query="SELEC id FROM users")], 3, "users"),
    "unknown column": ({}, [_sync(query="SELECT nope AS userId FROM users")], 3, "nope"),
    "unknown table": ({}, [_sync(query="SELECT id AS userId FROM nope")], 3, "nope"),
}


@pytest.mark.parametrize(
    ("connection", "syncs", "exit_code", "words"), CASES.values(), ids=list(CASES)
)
def test_bad_input_of_the_tap_is_reported(
    connection, syncs, exit_code, words, tap_config, target_config, run_pipe, collector
):
    """The exit code shows which side failed, and the log says what is wrong."""
    config = {**tap_config, "reader": "odbc", **connection, "syncs": syncs}

    run = run_pipe(config, target_config)

    assert run.exit_code == exit_code, run.log
    assert words in run.log
    assert "c4n4ry" not in run.log
    assert "Traceback" not in run.log
    assert (run.states, collector.calls) == ([], [])


def test_all_problems_are_reported_at_once(tap_config, target_config, run_pipe):
    """Every problem of the tap's configuration is in the log of one run."""
    syncs = [_sync(query="SELECT {{x}}"), _sync(timezone="Mars"), _sync(name="a b")]

    run = run_pipe({**tap_config, "encrypt": "maybe", "syncs": syncs}, target_config)

    assert run.exit_code == 2
    for words in ("`encrypt`", "{{x}}", "`timezone`", "`syncs[2].name`"):
        assert words in run.log
