"""CAST, CONVERT and the conversions that SQL Server does by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.literals import value_term
from sandbox.sql_server.engine.values.sql_types import (
    NUMBERS,
    TEMPORAL,
    family,
    storage_type,
)
from sandbox.sql_server.engine.values.temporal_casts import to_temporal
from sandbox.sql_server.engine.values.temporal_text import temporal_text
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, Term, failure
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable

_INTEGER_TEXT = r"^\s*[+-]?\d*\s*$"
_VALUE_OF_VARIANT = "substr({0}, strpos({0}, ':') + 1)"


def convert(
    term: Term, target: SqlType, *, style: int | None = None, is_safe: bool = False
) -> Term:
    """The term as this type; `is_safe` as TRY_CONVERT: NULL instead of a failure.

    Raises:
        SqlError: there is no such conversion.
    """
    if term.is_untyped_null or (term.is_constant and term.constant is None):
        return value_term(None, target)
    if term.family == "variant" and target.name != "sql_variant":
        stored = _VALUE_OF_VARIANT.format(term.sql)
        term = replace(term, sql=stored, type=SqlType("nvarchar", None), constant=NOT_CONSTANT)
    if family(target) in TEMPORAL:
        return to_temporal(_text_of_binary(term), target, is_safe=is_safe)
    if family(target) == "text":
        return _to_text(term, target, style)
    if term.type == target:
        return term
    result = _CONVERTERS[family(target)](term, target, _Failures(is_safe))
    return replace(result, nullable=term.nullable or is_safe, constant=_kept_constant(term, target))


def _kept_constant(term: Term, target: SqlType) -> object:
    """Whole numbers stay known, as SQL Server folds them."""
    if term.family in ("integer", "bit") and family(target) == "integer":
        return term.constant
    return NOT_CONSTANT


def _text_of_binary(term: Term) -> Term:
    return (
        term if term.family not in ("binary", "guid", "rowversion") else _refuse(term, "datetime")
    )


def _refuse(term: Term, name: str) -> Term:
    raise SqlError(206, f"Operand type clash: {term.type.name} is incompatible with {name}")


class _Failures:
    """Writes the failure of a conversion, or NULL."""

    def __init__(self, is_safe: bool) -> None:
        self._is_safe = is_safe

    def tried(self, term: Term, attempt: str, number: int, message: str) -> str:
        """The attempt; where it is NULL though the term is not, the failure."""
        if self._is_safe:
            return attempt
        failed = failure(number, message, term.sql)
        return f"coalesce({attempt}, CASE WHEN {term.sql} IS NOT NULL THEN {failed} END)"

    def cast(self, sql: str, storage: str) -> str:
        """A cast that fails, or not."""
        return f"{'TRY_CAST' if self._is_safe else 'CAST'}({sql} AS {storage})"


def _to_integer(term: Term, target: SqlType, failures: _Failures) -> Term:
    storage = storage_type(target)
    match term.family:
        case "text":
            message = _failed_conversion(term, target)
            empty_as_zero = f"coalesce(nullif(trim({term.sql}), ''), '0')"
            attempt = (
                f"CASE WHEN regexp_matches({term.sql}, '{_INTEGER_TEXT}') "
                f"THEN {failures.cast(empty_as_zero, storage)} END"
            )
            return Term(failures.tried(term, attempt, 245, message), target)
        case "decimal" | "float":
            return Term(failures.cast(f"trunc({term.sql})", storage), target)
        case "binary":
            hexadecimal = f"('0x' || right('0' || hex({term.sql}), 16))"
            return Term(failures.cast(hexadecimal, storage), target)
        case "instant" if term.type.name in ("datetime", "smalldatetime"):
            days = f"(epoch({term.sql}) / 86400 + 25567)"
            return Term(f"CAST(round({days}) AS {storage})", target)
    return _cast_number(term, target, failures)


def _failed_conversion(term: Term, target: SqlType) -> str:
    return (
        f"Conversion failed when converting the {term.type.name} value '{{}}' "
        f"to data type {target.name}."
    )


def _cast_number(term: Term, target: SqlType, failures: _Failures) -> Term:
    if term.family in NUMBERS or term.family == "rowversion":
        return Term(failures.cast(term.sql, storage_type(target)), target)
    if term.family == "text":
        name = "numeric" if target.name == "decimal" else target.name
        message = f"Error converting data type {term.type.name} to {name}."
        attempt = f"TRY_CAST(trim({term.sql}) AS {storage_type(target)})"
        return Term(failures.tried(term, attempt, 8114, message), target)
    return _refuse(term, target.name)


def _to_bit(term: Term, target: SqlType, failures: _Failures) -> Term:
    if term.family == "text":
        message = _failed_conversion(term, target)
        attempt = (
            f"CASE WHEN lower(trim({term.sql})) IN ('true', 'false') "
            f"THEN lower(trim({term.sql})) = 'true' "
            f"ELSE TRY_CAST(trim({term.sql}) AS BIGINT) <> 0 END"
        )
        return Term(failures.tried(term, attempt, 245, message), target)
    return Term(f"({_cast_number(term, SqlType('float'), failures).sql} <> 0)", target)


def _to_binary(term: Term, target: SqlType, _: _Failures) -> Term:
    match term.family:
        case "binary":
            sql = term.sql
        case "text":
            unicode = "n" in term.type.name[0]
            sql = f"encode({term.sql})" if not unicode else _utf16(term.sql)
        case "integer" | "bit" | "rowversion":
            size = {"bigint": 16, "timestamp": 16, "smallint": 4, "tinyint": 2, "bit": 2}
            number = f"format('{{:0{size.get(term.type.name, 8)}X}}', CAST({term.sql} AS BIGINT))"
            sql = f"unhex({number})"
        case "guid":
            sql = f"unhex(replace(CAST({term.sql} AS VARCHAR), '-', ''))"
        case _:
            _refuse(term, target.name)
    return Term(_sized_binary(sql, term, target), target)


def _utf16(sql: str) -> str:
    """UTF-16 of text from the Basic Multilingual Plane."""
    unit = "format('{:04X}', unicode(c))"
    swapped = f"substr({unit}, 3, 2) || substr({unit}, 1, 2)"
    return f"unhex(array_to_string([{swapped} FOR c IN string_split({sql}, '') IF c <> ''], ''))"


def _sized_binary(sql: str, term: Term, target: SqlType) -> str:
    length = target.length
    if length is None or target.name == "image":
        return sql
    if target.name == "varbinary":
        fits = term.family == "binary" and (term.type.length or length + 1) <= length
        return sql if fits else f"unhex(left(hex({sql}), {2 * length}))"
    return f"unhex(rpad(left(hex({sql}), {2 * length}), {2 * length}, '0'))"


def _to_guid(term: Term, target: SqlType, failures: _Failures) -> Term:
    if term.family != "text":
        return _refuse(term, target.name)
    message = "Conversion failed when converting from a character string to uniqueidentifier."
    attempt = f"TRY_CAST({term.sql} AS UUID)"
    return Term(failures.tried(replace(term), attempt, 8169, message), target)


def _to_rowversion(term: Term, target: SqlType, failures: _Failures) -> Term:
    return replace(_to_integer(term, SqlType("bigint"), failures), type=target)


def _to_variant(term: Term, target: SqlType, _: _Failures) -> Term:
    if term.is_constant:
        return value_term(term.constant, target)
    tag = {"bit": "bit", "integer": "int", "decimal": "numeric", "float": "float", "date": "date",
           "time": "time", "instant": "datetime2", "guid": "uniqueidentifier",
           "binary": "varbinary"}.get(term.family, "nvarchar")  # fmt: skip
    text = f"hex({term.sql})" if term.family == "binary" else f"CAST({term.sql} AS VARCHAR)"
    return Term(f"('{tag}:' || {text})", target)


_CONVERTERS: dict[str, Callable[[Term, SqlType, _Failures], Term]] = {
    "bit": _to_bit,
    "integer": _to_integer,
    "decimal": _cast_number,
    "float": _cast_number,
    "binary": _to_binary,
    "guid": _to_guid,
    "rowversion": _to_rowversion,
    "variant": _to_variant,
}


def padded(term: Term) -> Term:
    """A char or nchar with the spaces that the engine does not store."""
    if term.type.name not in ("char", "nchar") or not term.type.length:
        return term
    return replace(term, sql=f"rpad({term.sql}, {term.type.length}, ' ')", constant=NOT_CONSTANT)


def _to_text(term: Term, target: SqlType, style: int | None) -> Term:
    sql = _text_sql(term, style or 0)
    constant: object = NOT_CONSTANT
    length = target.length if target.name not in ("text", "ntext", "xml") else None
    fits = term.family == "text" and term.type.length and term.type.length <= (length or 2**31)
    if isinstance(term.constant, str):
        constant = term.constant[:length]
        sql = value_term(term.constant[:length]).sql
    elif length is not None and not fits:
        sql = f"left({sql}, {length})"
    if target.name in ("char", "nchar") and term.type.name not in ("char", "nchar"):
        sql = f"rtrim({sql}, ' ')"
    return Term(sql, target, term.nullable, constant=constant, is_json=term.is_json)


def _text_sql(term: Term, style: int) -> str:
    match term.family:
        case "text":
            return padded(term).sql
        case "bit":
            return f"CAST(CAST({term.sql} AS INTEGER) AS VARCHAR)"
        case "guid":
            return f"upper(CAST({term.sql} AS VARCHAR))"
        case "binary" | "rowversion":
            return _binary_text(term, style)
        case "float":
            return _float_text(term.sql, style)
        case "decimal" if "money" in term.type.name and style != 2:
            return f"CAST(CAST({term.sql} AS DECIMAL(38, 2)) AS VARCHAR)"
    return temporal_text(term, style) if term.family in TEMPORAL else f"CAST({term.sql} AS VARCHAR)"


def _binary_text(term: Term, style: int) -> str:
    if term.family == "rowversion":
        hexadecimal = f"format('{{:016X}}', {term.sql})"
    else:
        hexadecimal = f"hex({term.sql})"
    if style in (1, 2):
        return f"('0x' || {hexadecimal})" if style == 1 else hexadecimal
    return f"decode({term.sql})" if term.family == "binary" else hexadecimal


def _float_text(sql: str, style: int) -> str:
    """Six digits, or with style 3 all 17; exponents have three digits."""
    form = {1: "%.7e", 2: "%.15e", 3: "%.16e"}.get(style, "%g")
    written = f"printf('{form}', CAST({sql} AS DOUBLE))"
    return f"regexp_replace({written}, 'e([+-])(\\d\\d)$', 'e\\10\\2')"
