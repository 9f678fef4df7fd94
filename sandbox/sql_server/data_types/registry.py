"""All SQL Server types as TDS writes them: TYPE_INFO, NULL, values ([MS-TDS] 2.2.5.4 to 2.2.5.6).

One factory per type name; the factories are in `number_types`, `time_types`, `text_types` and
`variant_type`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.data_types import number_types, text_types, time_types, variant_type
from sandbox.sql_server.transport.packets import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.data_types.wire_type import WireType, WireTypeFactory
    from sandbox.sql_server.results import Column, SqlType

_FACTORIES: Mapping[str, WireTypeFactory] = {
    **number_types.FACTORIES,
    **time_types.FACTORIES,
    **text_types.FACTORIES,
    **variant_type.FACTORIES,
}

TYPE_NAMES = frozenset(_FACTORIES)


def wire_type(sql_type: SqlType, *, nullable: bool = True) -> WireType:
    """The wire type of a SQL Server type.

    Raises:
        ProtocolError: unknown type.
    """
    try:
        build = _FACTORIES[sql_type.name.lower()]
    except KeyError:
        raise ProtocolError(f"no TDS encoding for the type {sql_type.name!r}") from None
    return build(sql_type, nullable)


def column_wire_type(column: Column) -> WireType:
    """The wire type of a column; a NOT NULL column may have a shorter form."""
    return wire_type(column.type, nullable=column.nullable)
