from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reliability.counts import sample_of
from tests.reliability.network_sql import CELLS, ROWS, make_toxic, read_through_fault
from tests.reliability.proxy import Proxy
from tests.reliability.shop_servers import judge_run, shop_server, tap_config
from tests.reliability.single_runs import ProgramResult, Programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.sql_server.server import SqlServer


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A SQL Server with a table."""
    with shop_server(ROWS) as server:
        yield server


@pytest.fixture
def programs(fork_server, tmp_path) -> Programs:
    """Both programs."""
    return Programs(fork_server, tmp_path)


@pytest.mark.parametrize("cell", sample_of(CELLS, 20), ids=str)
def test_faulty_connection_moves_no_bookmark(programs, server, cell):
    """A sync reads all rows, with a retry if needed, or fails without a STATE; others are read."""
    tried = read_through_fault(programs, server.port, cell)

    assert tried.was_injected or cell[0] == "slow close"
    assert not tried.verdict.violations


def _output(*numbers: int, covered: tuple[str, ...] = ("a_users", "b_others")) -> ProgramResult:
    records = [("a_users", number) for number in numbers] + [("b_others", 7)]
    messages = [
        {"type": "RECORD", "stream": stream, "record": {"id": number}} for stream, number in records
    ]
    marks = {name: {"last_sync_time": 1} for name in covered}
    messages.append({"type": "STATE", "value": {"bookmarks": marks}})
    return ProgramResult(0, "".join(f"{json.dumps(message)}\n" for message in messages), "")


def test_wrong_output_is_noticed():
    """A bookmark past a missing row, and a sync that another one stopped, are violations."""
    assert not judge_run(_output(0, 1, 2), 3).violations
    assert not judge_run(_output(0, covered=("b_others",)), 3).violations
    assert judge_run(_output(0, 2), 3).violations == {"premature_states": 1}
    assert judge_run(_output(0, 1, 1, 2), 3).violations == {"premature_states": 1}
    assert judge_run(_output(0, 1, 2, covered=("a_users",)), 3).violations == {"missing": 1}


def test_signal_ends_a_hanging_login(fork_server, server, tmp_path):
    """SIGTERM ends the tap while the server is silent during the TLS handshake."""
    with Proxy(server.port, make_toxic("timeout", "down", "TLS", "arrow")) as proxy:
        config = {**tap_config(proxy.port, "arrow", "id"), "login_timeout_seconds": 60}
        (tmp_path / "tap.json").write_text(json.dumps(config))
        with Path(os.devnull).open("r+b") as nothing:
            program = fork_server.start(
                "tap", ["--config", "tap.json"], folder=tmp_path, files=(nothing.fileno(),) * 3
            )
        _wait_until(lambda: proxy.affected)

        program.signal(signal.SIGTERM)

        assert program.wait(30) == 143
        program.kill()


def _wait_until(holds: Callable[[], object]) -> None:
    for _ in range(1500):
        if holds():
            return
        threading.Event().wait(0.02)
    raise TimeoutError
