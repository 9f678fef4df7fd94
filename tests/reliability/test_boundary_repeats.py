from __future__ import annotations

import pytest

from tests.reliability.boundary_repeats import KINDS, send_histories

SEED = 20_261_127


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_boundary_rows_of_histories_have_one_id(kind):
    """Rows that several polls of 1,000 histories read are one event each."""
    found = send_histories(1_000, SEED, kind)

    assert found.repeats > 1_000
    assert (found.other_ids, found.shared_ids) == (0, 0), SEED
