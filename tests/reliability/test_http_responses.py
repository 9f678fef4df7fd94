from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from target_pipelines.destinations.customerio import PROFILE
from tests.reliability.counts import sample_of
from tests.reliability.http_responses import (
    CELLS,
    NOW,
    PROFILES,
    WIRE_CELLS,
    judge_cell,
    judge_over_wire,
)
from tests.reliability.raw_responses import RawResponses, raw_responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from target_pipelines.api.outcomes import Outcome


@pytest.fixture(scope="module")
def server() -> Iterator[RawResponses]:
    """A server that answers with given bytes."""
    with raw_responses() as server:
        yield server


def test_every_answer_is_judged_as_documented():
    """More than 20,000 cells: the outcome, how long to wait, and no word of the answer."""
    for cell in CELLS:
        judge_cell(cell)

    assert len(CELLS) > 20_000


def test_answers_over_the_wire_are_judged_the_same(server):
    """From bytes on a connection to the outcome, through the whole client."""
    for cell in sample_of(WIRE_CELLS, 60):
        judge_over_wire(server, cell)


def test_wrong_judgement_is_noticed(monkeypatch):
    """A policy that takes every answer for a passing failure does not get through."""

    def retry(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
        return PROFILE.judge(503, headers, body, now=NOW)

    retrying = replace(PROFILE, judge=retry)
    monkeypatch.setitem(PROFILES, "common", (retrying,))

    judge_cell(("common", 503, "code", None))
    with pytest.raises(AssertionError, match="customerio"):
        judge_cell(("common", 400, "code", None))
