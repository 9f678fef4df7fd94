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


@pytest.mark.parametrize("end", [b"", b"\n", b"\nafter\n", b"\nafter"])
def test_of_a_line_that_is_too_long_only_the_beginning_is_kept(end):
    """Lines of 51 and 120 MiB do not fill the memory; what follows is read."""
    for mebibytes in (51, 120):
        long, *others = _lines(io.BytesIO(b"x" * (mebibytes << 20) + end))

        assert MAX_LINE_BYTES < len(long.rstrip()) < MAX_LINE_BYTES + (1 << 20)
        assert long.endswith(b"\n")
        assert others == end[1:].splitlines(keepends=True)


@pytest.mark.parametrize("size", [0, 1])
def test_line_of_the_greatest_length_is_whole(size):
    """A line of 50 MiB is whole; whether its newline has come or not."""
    line = b"x" * (MAX_LINE_BYTES - size)

    assert _lines(io.BytesIO(line + b"\na\n")) == [line + b"\n", b"a\n"]
    assert _lines(io.BytesIO(line)) == [line]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_an_error(mark):
    """Redirections of some shells write it; the error says so."""
    with pytest.raises(InputError, match="UTF-16"):
        _lines(io.BytesIO(mark + "a\n".encode("utf-16-le")))
