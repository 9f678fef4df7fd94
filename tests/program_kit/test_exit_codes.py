from __future__ import annotations

import pytest

from program_kit.exit_codes import worst_exit_code


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], 0),
        ([0, 2], 2),
        ([2, 5], 5),
        ([5, 3], 3),
        ([3, 4], 4),
        ([4, 6], 6),
        ([6, 1, 2], 1),
        ([77, 6], 77),
    ],
)
def test_worst_exit_code(codes, worst):
    """The order is 1, 6, 4, 3, 5, 2; an unknown code is as bad as a bug, and says more."""
    assert worst_exit_code(codes) == worst
