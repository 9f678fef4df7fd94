from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.collector import Collector
from tests.reliability import network
from tests.reliability.counts import sample_of
from tests.reliability.network import ALWAYS, ONCE, fail_always, fail_once, judge_calls
from tests.reliability.single_runs import Programs


@pytest.fixture
def programs(fork_server, tmp_path) -> Programs:
    """Both programs."""
    return Programs(fork_server, tmp_path)


@pytest.mark.parametrize("cell", sample_of(ONCE, 16), ids=str)
def test_faulty_first_connections_lose_nothing(programs, cell):
    """Whatever happens to the first connections, the run succeeds and every row arrives."""
    tried = fail_once(programs, cell)

    assert tried.was_injected or cell[0] == "slow close"
    assert not tried.verdict.violations


@pytest.mark.parametrize("cell", sample_of(ALWAYS, 8), ids=str)
def test_faulty_connections_end_the_run_in_time(programs, cell):
    """The run ends with exit code 4 after `max_retry_seconds`, and the next one delivers."""
    tried = fail_always(programs, cell)

    assert tried.was_injected
    assert not tried.verdict.violations


def test_every_wrong_call_is_noticed(programs):
    """A call that is missing, changed, early, of no row or has another id is counted."""
    with Collector() as collector:
        network._Runs(programs, collector).run(collector.port, concurrency=1)
    calls = sorted(collector.calls, key=lambda call: call.body["traits"]["number"])
    other = replace(calls[0], message_id="other")
    wrong = {
        "missing": calls[1:],
        "corrupt": [replace(calls[0], raw=calls[0].raw.replace(b"xx", b"y")), *calls[1:]],
        "out_of_order": [*calls[1:], calls[0]],
        "spurious": [*calls, replace(other, raw=other.raw.replace(b'"number":1', b'"number":99'))],
        "repeats_with_other_ids": [calls[0], other, *calls[1:]],
    }

    assert judge_calls(calls).violations == {}
    for name, seen in wrong.items():
        assert name in judge_calls(seen).violations
