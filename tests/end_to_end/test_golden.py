from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.shop import DATABASE
from sandbox.shop.creation import create_empty_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.end_to_end.conftest import SYNCS_BY_TYPE

GOLDEN = Path(__file__).with_name("golden")
CALL_TYPES = sorted(folder.name for folder in GOLDEN.iterdir())


@pytest.fixture
def engine(clock) -> DuckDBEngine:
    """An empty shop whose clock stands still: the messageId of a fact has the start of the run."""
    engine = DuckDBEngine(clock=clock)
    create_empty_shop(engine)
    return engine


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_rows_become_exactly_these_calls(
    reader, engine, tap_config, target_config, run_pipe, collector
):
    """The example queries over each `rows.sql` make the calls of `calls.jsonl`, byte for byte."""
    for call_type in CALL_TYPES:
        engine.run(DATABASE, (GOLDEN / call_type / "rows.sql").read_text())
    syncs = [dict(SYNCS_BY_TYPE[call_type]) for call_type in CALL_TYPES]

    run = run_pipe({**tap_config, "reader": reader, "syncs": syncs}, target_config)

    assert run.exit_code == 0, run.log
    calls = collector.calls
    for call_type in CALL_TYPES:
        expected = (GOLDEN / call_type / "calls.jsonl").read_text().splitlines()
        assert [call.raw.decode() for call in calls if call.type == call_type] == expected
    assert {call.type for call in calls} == set(CALL_TYPES)


def test_every_call_type_of_the_example_has_a_golden_file():
    """Each call type that the example project's syncs use is compared byte for byte."""
    assert sorted(SYNCS_BY_TYPE) == CALL_TYPES
