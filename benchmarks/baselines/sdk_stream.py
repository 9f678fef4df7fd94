"""A straightforward Singer tap: a singer-sdk stream over a pyodbc cursor, with the SDK's writer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

from benchmarks.baselines.odbc_connection import connect_odbc
from benchmarks.baselines.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BATCH_ROWS = 8192
_TYPES = {int: th.IntegerType, float: th.NumberType, bool: th.BooleanType}


class _Rows(Stream):
    """The rows of one query, as dicts."""

    name = "s"

    def __init__(self, tap: Tap, path: str) -> None:
        settings, query = read_settings(path)
        self._cursor = connect_odbc(settings).execute(query)
        self._names = [column[0] for column in self._cursor.description]
        kinds = (_TYPES.get(column[1], th.StringType) for column in self._cursor.description)
        pairs = zip(self._names, kinds, strict=True)
        properties = (th.Property(name, kind()) for name, kind in pairs)
        super().__init__(tap, schema=th.PropertiesList(*properties).to_dict())

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        while batch := self._cursor.fetchmany(BATCH_ROWS):
            for row in batch:
                yield dict(zip(self._names, row, strict=True))


class _PlainTap(Tap):
    name = "tap-plain"
    config_jsonschema = {"type": "object", "properties": {"path": {"type": "string"}}}  # noqa: RUF012

    def discover_streams(self) -> Sequence[Stream]:
        return [_Rows(self, self.config["path"])]


def main(path: str) -> None:
    """Write the rows as Singer messages to stdout."""
    _PlainTap(config={"path": str(Path(path))}).sync_all()


if __name__ == "__main__":
    main(*sys.argv[1:])
