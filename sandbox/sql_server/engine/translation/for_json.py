"""FOR JSON: a query's rows as one text, with members named by dotted aliases."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from sandbox.sql_server.engine.translation.name_scopes import Field, Query
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import NVARCHAR_MAX, TEMPORAL, VARCHAR_MAX
from sandbox.sql_server.engine.values.temporal_text import temporal_text
from sandbox.sql_server.engine.values.typed_sql import (
    TypedSql,
    native,
    quote,
    string_literal,
)
from sandbox.sql_server.results import SqlError

JSON_COLUMN = "JSON_F52E2B61-18A1-11d1-B105-00805F49916B"
_ROW = "?json"


@dataclass(slots=True)
class _Members:
    """A JSON object's members in order, some of them objects."""

    entries: dict[str, TypedSql | _Members] = field(default_factory=dict)


def json_query(query: Query, clause: exp.Expr) -> Query:
    """The query's rows as JSON: one row with one text; NULL if there are no rows.

    Raises:
        SqlError: 13605 unnamed column, 13601 conflicting names, 102 not FOR JSON.
    """
    kind = str(clause.args["kind"]).upper()
    if kind != "JSON":
        raise SqlError(102, f"Incorrect syntax near '{kind}'.", severity=15)
    options = dict(map(_option, clause.expressions))
    members = _Members()
    for index, item in enumerate(query.fields):
        _add(members, item, query.output_names[index])
    text = _object(members, keep_nulls="INCLUDE_NULL_VALUES" in options)
    rows = f'(SELECT row_number() OVER () AS "?n", * FROM ({query.sql})) AS {quote(_ROW)}'
    joined = f"string_agg({text}, ',' ORDER BY {quote(_ROW)}.\"?n\")"
    if "WITHOUT_ARRAY_WRAPPER" not in options:
        joined = f"('[' || {joined} || ']')"
    if "ROOT" in options:
        joined = f"('{{' || {_name(options['ROOT'])} || {joined} || '}}')"
    sql = f"SELECT {joined} AS {quote(JSON_COLUMN)} FROM {rows}"
    is_json = "WITHOUT_ARRAY_WRAPPER" not in options
    return Query(sql, (Field(JSON_COLUMN, NVARCHAR_MAX, is_json=is_json),))


def _option(option: exp.Expr) -> tuple[str, str]:
    """An option's name and value; ROOT defaults to `root`."""
    inner = option.this
    value = inner.args.get("expression")
    name = inner.this.name if isinstance(inner.this, exp.Expr) else inner.name
    return name.upper(), value.name if value is not None else "root"


def _add(members: _Members, item: Field, output: str) -> None:
    if not item.name:
        message = (
            "Column expressions and data sources without names or aliases cannot be formatted as "
            "JSON text using FOR JSON clause. Add alias to the unnamed column or table."
        )
        raise SqlError(13605, message)
    *path, last = item.name.split(".")
    for part in path:
        inner = members.entries.setdefault(part, _Members())
        if not isinstance(inner, _Members):
            raise _conflict(item.name)
        members = inner
    if last in members.entries:
        raise _conflict(item.name)
    sql = f"{quote(_ROW)}.{quote(output)}"
    members.entries[last] = TypedSql(sql, item.type, in_ticks=item.in_ticks, is_json=item.is_json)


def _conflict(name: str) -> SqlError:
    message = (
        f"Property '{name}' cannot be generated in JSON output due to a conflict with another "
        "column name or alias. Use different names and aliases for each column in SELECT list."
    )
    return SqlError(13601, message)


def _object(members: _Members, *, keep_nulls: bool) -> str:
    """SQL for the object; `concat_ws` omits members that are NULL."""
    parts = []
    for name, entry in members.entries.items():
        if isinstance(entry, _Members):
            inner = _object(entry, keep_nulls=keep_nulls)
            parts.append(f"({_name(name)} || nullif({inner}, '{{}}'))")
        else:
            value = json_value(entry)
            value = f"coalesce({value}, 'null')" if keep_nulls else value
            parts.append(f"({_name(name)} || {value})")
    return f"('{{' || concat_ws(',', {', '.join(parts)}) || '}}')"


def _name(name: str) -> str:
    return f"{_escaped(string_literal(name))} || ':'"


def _escaped(sql: str) -> str:
    """SQL for a JSON string; SQL Server escapes the slash too."""
    return f"replace(CAST(to_json(CAST({sql} AS VARCHAR)) AS VARCHAR), '/', '\\/')"


def json_value(expr: TypedSql) -> str:
    """SQL for a value as JSON; NULL stays NULL."""
    if expr.is_json:
        return expr.sql
    if expr.family in TEMPORAL:
        return f"('\"' || {temporal_text(expr, 126)} || '\"')"
    expr = native(expr)
    match expr.family:
        case "bit":
            return f"CAST({expr.sql} AS VARCHAR)"
        case "integer":
            return f"CAST({expr.sql} AS VARCHAR)"
        case "decimal":
            return convert(expr, VARCHAR_MAX, style=2).sql
        case "float":
            digits = 15 if expr.type.name == "float" else 7
            written = f"printf('%.{digits}e', CAST({expr.sql} AS DOUBLE))"
            return f"regexp_replace({written}, 'e([+-])(\\d\\d)$', 'e\\10\\2')"
        case "binary":
            return f"('\"' || base64({expr.sql}) || '\"')"
    return _escaped(convert(expr, VARCHAR_MAX).sql)
