from __future__ import annotations

import io
import os

import pytest

from target_pipelines.api.errors import InputError
from target_pipelines.singer.line_reader import MAX_LINE_BYTES, read_blocks


def _lines(source) -> list[bytes]:
    return [line for block in read_blocks(source) for line in block.splitlines(keepends=True)]


@pytest.mark.parametrize("text", ["", "a\n", "a\nb\n", "a\nb", "\n\na", "a" * 1_000_000 + "\nb\n"])
def test_lines_come_whole(text):
    """Lines are whole whatever the block boundaries; the last may lack its newline."""
    assert _lines(io.StringIO(text)) == text.encode().splitlines(keepends=True)


def test_line_is_returned_as_soon_as_it_arrives():
    """A line that has arrived is returned before the next one is complete."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        os.write(write, b"first\nsec")
        blocks = read_blocks(source)
        assert next(blocks) == b"first\n"
        os.write(write, b"ond\n")
        assert next(blocks) == b"second\n"
        os.close(write)
        assert next(blocks, None) is None


def test_line_that_never_ends_is_an_error():
    """A line of 51 MiB ends the run instead of filling the memory."""
    with pytest.raises(InputError, match="longer than"):
        _lines(io.BytesIO(b"x" * (MAX_LINE_BYTES + 1024 * 1024)))
