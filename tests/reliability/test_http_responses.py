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
    check_cell,
    check_over_wire,
)
from tests.reliability.raw_responses import RawResponses, raw_responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from target_pipelines.api.outcomes import Outcome


@pytest.fixture(scope="module")
def server() -> Iterator[RawResponses]:
    """A server that responds with given bytes."""
    with raw_responses() as server:
        yield server


def test_every_response_has_its_documented_outcome():
    """More than 20,000 cells: the outcome, the wait, and no quotation from the response."""
    for cell in CELLS:
        check_cell(cell)

    assert len(CELLS) > 20_000


def test_responses_over_the_wire_have_the_same_outcome(server):
    """The whole client, from bytes on a connection, gives the same outcome."""
    for cell in sample_of(WIRE_CELLS, 60):
        check_over_wire(server, cell)


def test_wrong_outcome_is_noticed(monkeypatch):
    """A policy that retries after every response fails the check."""

    def retry(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
        return PROFILE.classify(503, headers, body, now=NOW)

    retrying = replace(PROFILE, classify=retry)
    monkeypatch.setitem(PROFILES, "common", (retrying,))

    check_cell(("common", 503, "code", None))
    with pytest.raises(AssertionError, match="customerio"):
        check_cell(("common", 400, "code", None))
