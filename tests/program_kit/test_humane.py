from __future__ import annotations

import pytest

from program_kit.humane import bytes_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (812, "812 B"), (999, "999 B"), (1000, "1.0 kB"), (3449, "3.4 kB"),
        (99_960, "100 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"), (3 * 10**12, "3.0 TB"),
    ],
)  # fmt: skip
def test_size_has_one_unit(number, text):
    """In powers of 1,000, with two or three digits."""
    assert bytes_of(number) == text
