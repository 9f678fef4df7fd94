"""Results encoded once as TDS bytes and replayed from memory, for benchmarks.

A canned result costs the server no work per row, so that a benchmark measures the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.sql_server.token_stream.rows import row_encoder
from sandbox.sql_server.transport.packet_writer import SEND_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sandbox.sql_server.results import Column


@dataclass(frozen=True, slots=True)
class CannedResult:
    """A result set with encoded ROW tokens; all `pieces` are sent `repeat` times.

    A piece holds whole rows; the response can be cancelled between pieces.
    """

    columns: tuple[Column, ...]
    pieces: tuple[bytes, ...]
    block_rows: int
    repeat: int = 1

    @classmethod
    def build(
        cls, columns: Sequence[Column], rows: Iterable[Sequence[Any]], repeat: int = 1
    ) -> CannedResult:
        """Encode these rows once; the result repeats them `repeat` times."""
        encode = row_encoder(columns)
        encoded = [encode(row) for row in rows]
        return cls(tuple(columns), tuple(_pieces(encoded)), len(encoded), repeat)

    @property
    def row_count(self) -> int:
        """The number of rows that a client receives."""
        return self.block_rows * self.repeat

    def replay(self) -> Iterator[bytes]:
        """All ROW tokens, in pieces of a good size for sending."""
        if len(self.pieces) != 1:
            for _ in range(self.repeat):
                yield from self.pieces
            return
        (piece,) = self.pieces
        copies = min(max(1, SEND_BYTES // len(piece)), max(self.repeat, 1))
        whole, rest = divmod(self.repeat, copies)
        joined = piece * copies
        for _ in range(whole):
            yield joined
        if rest:
            yield piece * rest


def _pieces(rows: Iterable[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for row in rows:
        gathered.append(row)
        size += len(row)
        if size >= SEND_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


CannedKey: TypeAlias = str | Callable[[str], bool]
"""A query's text without surrounding whitespace, or a predicate on it."""


def find_canned(canned: Mapping[CannedKey, CannedResult], sql: str) -> CannedResult | None:
    """The canned result of a query, by its text or else by a predicate; None if there is none."""
    text = sql.strip()
    if (exact := canned.get(text)) is not None:
        return exact
    return next((result for key, result in canned.items() if callable(key) and key(text)), None)
