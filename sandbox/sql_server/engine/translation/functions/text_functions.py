"""Text functions: LEN, SUBSTRING, REPLACE, CONCAT and so on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.arithmetic import joined_type
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import (
    BIGINT,
    INT,
    is_unicode,
    storage_type,
)
from sandbox.sql_server.engine.values.text_casts import padded
from sandbox.sql_server.engine.values.typed_sql import TypedSql
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall

_BEYOND_PLANE_ZERO = r"[^\x{10000}-\x{10FFFF}]"
_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "bit": 1, "float": 8, "real": 4,
          "date": 3, "datetime": 8, "uniqueidentifier": 16, "timestamp": 8, "money": 8}  # fmt: skip


def utf16_length(sql: str) -> str:
    """SQL for the number of UTF-16 code units; SQL Server counts an emoji as two."""
    return f"(length({sql}) + length(regexp_replace({sql}, '{_BEYOND_PLANE_ZERO}', '', 'g')))"


def _length(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    expr = call.argument(0)
    if expr.family == "binary":
        return TypedSql(f"octet_length({expr.sql})", INT, expr.nullable)
    text = call.text(0)
    is_long = text.type.length is None
    sql_type = BIGINT if is_long else INT
    units = utf16_length(f"rtrim({text.sql}, ' ')")
    return TypedSql(f"CAST({units} AS {storage_type(sql_type)})", sql_type, text.nullable)


def _data_length(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    expr = call.argument(0)
    match expr.family:
        case "text" if is_unicode(expr.type):
            sql = f"(2 * {utf16_length(padded(expr).sql)})"
        case "text":
            sql = f"length({padded(expr).sql})"
        case "binary":
            sql = f"octet_length({expr.sql})"
        case _:
            size = _SIZES.get(expr.type.name, 8)
            sql = f"CASE WHEN {expr.sql} IS NOT NULL THEN {size} END"
    return TypedSql(f"CAST({sql} AS INTEGER)", INT, expr.nullable)


def _substring(call: FunctionCall) -> TypedSql:
    call.check_count(3)
    start, length = call.number(1), call.number(2)
    expr = call.argument(0)
    if expr.family == "binary":
        sql = f"unhex(substr(hex({expr.sql}), 2 * {start.sql} - 1, 2 * {length.sql}))"
        return TypedSql(sql, replace(expr.type, name="varbinary"))
    text = call.text(0)
    # Positions before 1 reduce the length.
    end = f"greatest({start.sql} + {length.sql}, 1)"
    begin = f"greatest({start.sql}, 1)"
    return _of(text, f"substr({text.sql}, {begin}, greatest({end} - {begin}, 0))")


def _of(text: TypedSql, sql: str, length: int | None = 0) -> TypedSql:
    """Text derived from another: same type, but never char or nchar."""
    name = "nvarchar" if is_unicode(text.type) else "varchar"
    limit = text.type.length if length == 0 else length
    return TypedSql(sql, SqlType(name, limit), True)


def _side(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    text, count = call.text(0), call.number(1)
    length = text.type.length
    if isinstance(count.constant, int) and length is not None:
        length = max(min(count.constant, length), 1)
    sql = f"{call.name.lower()}({padded(text).sql}, greatest({count.sql}, 0))"
    return _of(text, sql, length)


def _same_type(call: FunctionCall) -> TypedSql:
    """UPPER, LOWER, LTRIM, RTRIM, REVERSE."""
    text = call.text(0)
    if len(call.nodes) > 1:
        return _of(text, f"{call.name.lower()}({text.sql}, {call.text(1).sql})")
    blank = ", ' '" if call.name in ("LTRIM", "RTRIM") else ""
    return _of(text, f"{call.name.lower()}({text.sql}{blank})")


def _trim(call: FunctionCall) -> TypedSql:
    text = call.text(0)
    characters = call.text(1).sql if len(call.nodes) > 1 else "' '"
    return _of(text, f"trim({text.sql}, {characters})")


def _replace(call: FunctionCall) -> TypedSql:
    call.check_count(3)
    text, old, new = (call.text(index) for index in range(3))
    # SQL Server's collation ignores case; an empty pattern changes nothing.
    escaped = f"regexp_escape({old.sql})"
    sql = (
        f"CASE WHEN {old.sql} = '' THEN {text.sql} ELSE regexp_replace({text.sql}, {escaped}, "
        f"replace({new.sql}, '\\', '\\\\'), 'gi') END"
    )
    limit = None if text.type.length is None else (4000 if is_unicode(text.type) else 8000)
    return _of(text, sql, limit)


def _concat(call: FunctionCall) -> TypedSql:
    call.check_count(2, 254)
    return _joined(call, [padded(call.text(index)) for index in range(len(call.nodes))], "concat(")


def _concat_ws(call: FunctionCall) -> TypedSql:
    call.check_count(3, 254)
    texts = [padded(call.text(index)) for index in range(len(call.nodes))]
    return _joined(call, texts, "concat_ws(")


def _joined(call: FunctionCall, texts: list[TypedSql], function: str) -> TypedSql:
    sql_type = SqlType("varchar", 0)
    for expr, text in zip(call.arguments(), texts, strict=True):
        typed = text.type if expr.family == "text" else SqlType("varchar", 12)
        sql_type = joined_type(sql_type, SqlType("varchar", 1) if expr.is_untyped_null else typed)
    return TypedSql(f"{function}{', '.join(t.sql for t in texts)})", sql_type, nullable=False)


def _index(call: FunctionCall) -> TypedSql:
    """CHARINDEX(what, text, start)."""
    call.check_count(2, 3)
    what, text = call.text(0), call.text(1)
    haystack, needle = f"lower({text.sql})", f"lower({what.sql})"
    sql = f"strpos({haystack}, {needle})"
    if len(call.nodes) > 2:
        start = call.number(2).sql
        found = f"strpos(substr({haystack}, {start}), {needle})"
        sql = f"CASE WHEN {found} = 0 THEN 0 ELSE {found} + {start} - 1 END"
    return TypedSql(f"CAST({sql} AS INTEGER)", INT, what.nullable or text.nullable)


def _replicate(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    text = call.text(0)
    limit = None if text.type.length is None else (4000 if is_unicode(text.type) else 8000)
    sql = f"repeat({text.sql}, greatest({call.number(1).sql}, 0))"
    return _of(text, sql if limit is None else f"left({sql}, {limit})", limit)


def _character(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    code = call.number(0).sql
    if call.name == "CHAR":
        return TypedSql(f"chr({code})", SqlType("varchar", 1))
    # A surrogate is encoded as in `surrogates`.
    stand_in = f"CASE WHEN ({code}) BETWEEN 55296 AND 57343 THEN ({code}) + 1048576 ELSE {code} END"
    return TypedSql(f"chr(({stand_in})::INTEGER)", SqlType("nchar", 1))


def _stuff(call: FunctionCall) -> TypedSql:
    call.check_count(4)
    text, start, length, new = call.text(0), call.number(1), call.number(2), call.text(3)
    tail = f"substr({text.sql}, {start.sql} + {length.sql})"
    sql = f"(left({text.sql}, {start.sql} - 1) || coalesce({new.sql}, '') || {tail})"
    return _of(text, sql, joined_type(text.type, new.type).length)


def _hash(call: FunctionCall) -> TypedSql:
    """HASHBYTES of ANSI text or bytes: MD5, SHA1 or SHA2_256."""
    call.check_count(2)
    name = str(call.argument(0).constant).upper()
    functions = {"MD5": "md5", "SHA1": "sha1", "SHA2_256": "sha256"}
    data = convert(call.argument(1), SqlType("varbinary", None))
    if name not in functions:
        return literal(None, SqlType("varbinary", 8000))
    return TypedSql(f"unhex({functions[name]}({data.sql}))", SqlType("varbinary", 8000))


FUNCTIONS: Mapping[str, Function] = {
    "LEN": _length,
    "DATALENGTH": _data_length,
    "SUBSTRING": _substring,
    **dict.fromkeys(("LEFT", "RIGHT"), _side),
    **dict.fromkeys(("UPPER", "LOWER", "LTRIM", "RTRIM", "REVERSE"), _same_type),
    "TRIM": _trim,
    "REPLACE": _replace,
    "CONCAT": _concat,
    "CONCAT_WS": _concat_ws,
    "CHARINDEX": _index,
    "REPLICATE": _replicate,
    **dict.fromkeys(("CHAR", "NCHAR"), _character),
    "STUFF": _stuff,
    "HASHBYTES": _hash,
}
