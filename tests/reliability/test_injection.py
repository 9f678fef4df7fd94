from __future__ import annotations

import pytest

from tests.reliability.injection import POINTS

POINTS_OF_PROGRAMS = [(program, name) for program, points in POINTS.items() for name in points]


@pytest.mark.parametrize(("program", "name"), POINTS_OF_PROGRAMS, ids=str)
def test_point_is_looked_up_where_the_fault_is_injected(program, name):
    """The module or class of a point holds its function: the fault is not injected in vain."""
    assert POINTS[program][name].name
