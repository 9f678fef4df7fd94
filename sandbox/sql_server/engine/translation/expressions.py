"""Scalar expressions: literals, columns, variables, operators, CASE, CAST, function calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.translation.functions.aggregates import string_agg
from sandbox.sql_server.engine.translation.functions.function_call import FunctionCall
from sandbox.sql_server.engine.translation.functions.registry import FUNCTIONS
from sandbox.sql_server.engine.translation.functions.system_functions import global_variable
from sandbox.sql_server.engine.translation.windows import window_text
from sandbox.sql_server.engine.values.arithmetic import arithmetic, negative
from sandbox.sql_server.engine.values.comparison import same_type
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal, number_literal
from sandbox.sql_server.engine.values.sql_types import SYSNAME, declared_type
from sandbox.sql_server.engine.values.temporal_casts import wall_clock
from sandbox.sql_server.engine.values.typed_sql import UNTYPED_NULL, TypedSql
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator

_CAST_LENGTH = 30
_ARITHMETIC: Mapping[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_BITWISE: Mapping[type[exp.Expr], str] = {
    exp.BitwiseAnd: "({} & {})",
    exp.BitwiseOr: "({} | {})",
    exp.BitwiseXor: "xor({}, {})",
}


def _literal(_: Translator, node: exp.Expr, __: Scope) -> TypedSql:
    if not node.args["is_string"]:
        return number_literal(node.name)
    return _text_term(node.name, "varchar")


def _national(_: Translator, node: exp.Expr, __: Scope) -> TypedSql:
    return _text_term(node.name, "nvarchar")


def _text_term(text: str, name: str) -> TypedSql:
    units = len(text.encode("utf-16-le")) // 2 if name == "nvarchar" else len(text)
    limit = 4000 if name == "nvarchar" else 8000
    return literal(text, SqlType(name, max(units, 1) if units <= limit else None))


def _binary(_: Translator, node: exp.Expr, __: Scope) -> TypedSql:
    digits = node.name
    data = bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    return literal(data, SqlType("varbinary", max(len(data), 1)))


def _null(_: Translator, __: exp.Expr, ___: Scope) -> TypedSql:
    return UNTYPED_NULL


def _column(_: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    qualifier = node.args["table"].name if node.args.get("table") else ""
    if node.name.lower() == "0x" and not qualifier:  # an empty binary literal
        return literal(b"", SqlType("varbinary", 1))
    return scope.column(node.name, qualifier)


def _boolean(_: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    """TRUE and FALSE are ordinary column names in T-SQL."""
    return scope.column("true" if node.this else "false")


def _parameter(translator: Translator, node: exp.Expr, _: Scope) -> TypedSql:
    inner = node.this
    if isinstance(inner, exp.Parameter):
        return global_variable(inner.name, translator.context)
    return translator.context.variable(f"@{inner.name}")


def _in_parentheses(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    return replace(translator.expression(node.this, scope), is_identity=False)


def _negative(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    return negative(translator.expression(node.this, scope))


def _arithmetic(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    left, right = (translator.native(part, scope) for part in (node.this, node.expression))
    return arithmetic(_ARITHMETIC[type(node)], left, right)


def _bitwise(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    parts = [translator.native(part, scope) for part in (node.this, node.expression)]
    left, right = same_type(parts)
    sql = _BITWISE[type(node)].format(left.sql, right.sql)
    return TypedSql(sql, left.type, left.nullable or right.nullable)


def _bitwise_not(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    expr = translator.native(node.this, scope)
    return TypedSql(f"(~{expr.sql})", expr.type, expr.nullable)


def _case(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    subject, branches = node.args.get("this"), node.args["ifs"]
    conditions = [
        translator.condition(exp.EQ(this=subject, expression=b.this) if subject else b.this, scope)
        for b in branches
    ]
    otherwise = node.args.get("default")
    values = [translator.native(branch.args["true"], scope) for branch in branches]
    values.append(translator.native(otherwise, scope) if otherwise else UNTYPED_NULL)
    if all(value.is_untyped_null for value in values):
        message = "At least one of the result expressions in a CASE specification must be an "
        raise SqlError(8133, f"{message}expression other than the NULL constant.")
    *values, last = same_type(values)
    arms = "".join(
        f" WHEN {condition} THEN {value.sql}"
        for condition, value in zip(conditions, values, strict=True)
    )
    nullable = any(value.nullable for value in (*values, last))
    return TypedSql(f"CASE{arms} ELSE {last.sql} END", last.type, nullable)


def type_of_node(node: exp.Expr, default_length: int = _CAST_LENGTH) -> SqlType:
    """The type of a DataType node."""
    return declared_type(node.args["kind"], [e.name for e in node.expressions], default_length)


def _cast(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    expr = translator.expression(node.this, scope)
    return convert(expr, type_of_node(node.args["to"]), is_safe=isinstance(node, exp.TryCast))


def _convert(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    style = node.args.get("style")
    number = translator.expression(style, scope).constant if style else None
    return convert(
        translator.expression(node.expression, scope),
        type_of_node(node.this),
        style=number if isinstance(number, int) else None,
        is_safe=bool(node.args.get("safe")),
    )


def _call(translator: Translator, node: exp.Expr, scope: Scope, over: str = "") -> TypedSql:
    name = node.name.upper()
    function = FUNCTIONS.get(name)
    if function is None:
        message = f"'{node.name}' is not a recognized built-in function name."
        raise SqlError(195, message, severity=15)
    return function(FunctionCall(name, node.expressions, translator, scope, over))


def _window(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    if not isinstance(node.this, exp.Anonymous):
        raise SqlError(102, "Incorrect syntax near 'OVER'.", severity=15)
    return _call(translator, node.this, scope, window_text(translator, node, scope))


def _text_aggregate(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    return string_agg(translator, node, scope)


def _trim(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    nodes = [node.this, *([node.expression] if node.args.get("expression") else [])]
    return FUNCTIONS["TRIM"](FunctionCall("TRIM", nodes, translator, scope))


def _subquery(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    query = translator.query(node, scope)
    if len(query.fields) != 1:
        message = (
            "Only one expression can be specified in the select list when the subquery is not "
            "introduced with EXISTS."
        )
        raise SqlError(116, message)
    field = query.fields[0]
    sql = f"({query.sql})"
    return TypedSql(sql, field.type, in_ticks=field.in_ticks, is_json=field.is_json)


def _collate(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    return replace(translator.expression(node.this, scope), is_identity=False)


def _at_time_zone(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    expr, zone = (
        translator.expression(node.this, scope),
        translator.expression(node.args["zone"], scope),
    )
    if str(zone.constant).upper() != "UTC":
        message = f"The time zone parameter '{zone.constant}' provided to AT TIME ZONE is invalid."
        raise SqlError(9820, message)
    utc = f"{expr.sql}.utc" if expr.family == "offset" else wall_clock(expr).sql
    sql = f"{{'utc': CAST({utc} AS TIMESTAMP), 'zone': CAST(0 AS SMALLINT)}}"
    return TypedSql(sql, SqlType("datetimeoffset", scale=expr.type.scale), expr.nullable)


def _now(translator: Translator, _: exp.Expr, scope: Scope) -> TypedSql:
    return FUNCTIONS["GETDATE"](FunctionCall("GETDATE", (), translator, scope))


def _user(translator: Translator, _: exp.Expr, __: Scope) -> TypedSql:
    return literal(translator.context.permissions.user_name, SYSNAME)


EXPRESSIONS: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope], TypedSql]] = {
    exp.Literal: _literal,
    exp.National: _national,
    exp.HexString: _binary,
    exp.Null: _null,
    exp.Column: _column,
    exp.Boolean: _boolean,
    exp.Parameter: _parameter,
    exp.Paren: _in_parentheses,
    exp.Neg: _negative,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **dict.fromkeys(_BITWISE, _bitwise),
    exp.BitwiseNot: _bitwise_not,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Convert: _convert,
    exp.Anonymous: _call,
    exp.Window: _window,
    exp.GroupConcat: _text_aggregate,
    exp.Trim: _trim,
    exp.Subquery: _subquery,
    exp.Select: _subquery,
    exp.Collate: _collate,
    exp.AtTimeZone: _at_time_zone,
    exp.CurrentTimestamp: _now,
    exp.CurrentUser: _user,
    exp.SessionUser: _user,
}
