"""The result of sp_describe_first_result_set: one row per column.

Source: the procedure's documentation; the column order is that of a recorded response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.data_types.collations import COLLATIONS, DEFAULT_COLLATION
from sandbox.sql_server.data_types.number_types import decimal_size
from sandbox.sql_server.data_types.registry import column_wire_type
from sandbox.sql_server.results import Column, ResultSet, SqlType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BIT, _INT, _SMALLINT, _TINYINT = map(SqlType, ("bit", "int", "smallint", "tinyint"))
_NAME, _TEXT = SqlType("nvarchar", 128), SqlType("nvarchar", 4000)

COLUMNS: Sequence[Column] = tuple(
    Column(name, sql_type)
    for sql_type, names in (
        (_BIT, "is_hidden"),
        (_INT, "column_ordinal"),
        (_NAME, "name"),
        (_BIT, "is_nullable"),
        (_INT, "system_type_id"),
        (_NAME, "system_type_name"),
        (_SMALLINT, "max_length"),
        (_TINYINT, "precision scale"),
        (_NAME, "collation_name"),
        (_INT, "user_type_id"),
        (_NAME, "user_type_database user_type_schema user_type_name"),
        (_TEXT, "assembly_qualified_type_name"),
        (_INT, "xml_collection_id"),
        (_NAME, "xml_collection_database xml_collection_schema xml_collection_name"),
        (_BIT, "is_xml_document is_case_sensitive is_fixed_length_clr_type"),
        (_NAME, "source_server source_database source_schema source_table source_column"),
        (_BIT, "is_identity_column is_part_of_unique_key is_updateable is_computed_column"),
        (_BIT, "is_sparse_column_set"),
        (_SMALLINT, "ordinal_in_order_by_list order_by_list_length order_by_is_descending"),
        (_INT, "tds_type_id tds_length tds_collation_id"),
        (_TINYINT, "ss_data_type"),
    )
    for name in names.split()
)

# sys.types: system_type_id, max_length in bytes, maximum precision (None: as declared)
_TYPES: Mapping[str, tuple[int, int | None, int | None]] = {
    "image": (34, 16, 0),
    "text": (35, 16, 0),
    "uniqueidentifier": (36, 16, 0),
    "date": (40, 3, 10),
    "time": (41, 5, 16),
    "datetime2": (42, 8, 27),
    "datetimeoffset": (43, 10, 34),
    "tinyint": (48, 1, 3),
    "smallint": (52, 2, 5),
    "int": (56, 4, 10),
    "smalldatetime": (58, 4, 16),
    "real": (59, 4, 24),
    "money": (60, 8, 19),
    "datetime": (61, 8, 23),
    "float": (62, 8, 53),
    "sql_variant": (98, 8016, 0),
    "ntext": (99, 16, 0),
    "bit": (104, 1, 1),
    "decimal": (106, None, None),
    "numeric": (108, None, None),
    "smallmoney": (122, 4, 10),
    "bigint": (127, 8, 19),
    "varbinary": (165, None, 0),
    "varchar": (167, None, 0),
    "binary": (173, None, 0),
    "char": (175, None, 0),
    "timestamp": (189, 8, 0),
    "nvarchar": (231, None, 0),
    "nchar": (239, None, 0),
    "xml": (241, -1, 0),
}
_MAX = -1
_MAX_SCALE = 7
_WITH_LENGTH = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})
_WITH_SCALE = frozenset({"time", "datetime2", "datetimeoffset"})
_WITH_COLLATION = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext"})


def describe_rows(columns: Sequence[Column]) -> ResultSet:
    """The procedure's result for a query with these columns."""
    names = [column.name for column in COLUMNS]
    rows: Iterator[list[object]] = (
        [described.get(name) for name in names]
        for described in (_describe(column, ordinal) for ordinal, column in enumerate(columns, 1))
    )
    return ResultSet(COLUMNS, rows)


def _describe(column: Column, ordinal: int) -> dict[str, object]:
    """The known attributes of a column; the others are NULL."""
    number = _TYPES[column.type.name][0]
    length, precision = _length_of(column.type), _precision_of(column.type)
    has_collation = column.type.name in _WITH_COLLATION
    collation = column.type.collation or DEFAULT_COLLATION
    return {
        "is_hidden": False,
        "column_ordinal": ordinal,
        "name": column.name or None,
        "is_nullable": column.nullable,
        "system_type_id": number,
        "system_type_name": type_text(column.type),
        "max_length": length,
        "precision": precision,
        "scale": column.type.scale,
        "collation_name": collation if has_collation else None,
        "is_xml_document": False,
        "is_case_sensitive": False,
        "is_fixed_length_clr_type": False,
        "is_identity_column": column.identity,
        "is_part_of_unique_key": False,
        "is_updateable": False,
        "is_computed_column": False,
        "is_sparse_column_set": False,
        "tds_type_id": column_wire_type(column).type_info[0],
        "tds_length": length,
        "tds_collation_id": COLLATIONS[collation].number if has_collation else None,
    }


def _length_of(sql_type: SqlType) -> int:
    """The maximum size of its values in bytes, as in `sys.columns`."""
    if sql_type.name in ("decimal", "numeric"):
        return decimal_size(sql_type.precision)
    size = _TYPES[sql_type.name][1]
    if size is not None:
        return size - _bytes_saved(sql_type.scale) if sql_type.name in _WITH_SCALE else size
    if sql_type.length is None:
        return _MAX
    return sql_type.length * 2 if sql_type.name.startswith("n") else sql_type.length


def _bytes_saved(scale: int) -> int:
    """Bytes that a time with few fractional digits saves."""
    return 2 if scale < 3 else int(scale < 5)


def _precision_of(sql_type: SqlType) -> int:
    precision = _TYPES[sql_type.name][2]
    if precision is None:
        return sql_type.precision
    if sql_type.name in _WITH_SCALE:
        return (
            precision - (_MAX_SCALE - sql_type.scale) - int(sql_type.scale == 0)
        )  # the decimal point
    return precision


def type_text(sql_type: SqlType) -> str:
    """The type in T-SQL, such as `decimal(12,2)`."""
    if sql_type.name in _WITH_LENGTH:
        return f"{sql_type.name}({'max' if sql_type.length is None else sql_type.length})"
    if sql_type.name in _WITH_SCALE:
        return f"{sql_type.name}({sql_type.scale})"
    if sql_type.name in ("decimal", "numeric"):
        return f"{sql_type.name}({sql_type.precision},{sql_type.scale})"
    return sql_type.name
