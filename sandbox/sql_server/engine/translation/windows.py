"""OVER clauses and sort order; NULL sorts lowest in SQL Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator


def window_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    """DuckDB's OVER clause."""
    partition = [
        translator.expression(part, scope).sql for part in node.args.get("partition_by") or ()
    ]
    parts = [f"PARTITION BY {', '.join(partition)}"] if partition else []
    order = node.args.get("order")
    if order is not None:
        keys = [ordered(translator.expression(o.this, scope).sql, o) for o in order.expressions]
        parts.append(f"ORDER BY {', '.join(keys)}")
    spec = node.args.get("spec")
    if spec is not None:
        parts.append(_frame(spec))
    return f" OVER ({' '.join(parts)})"


def ordered(sql: str, node: exp.Expr) -> str:
    """A sort key in the direction of an Ordered node."""
    return f"{sql} DESC NULLS LAST" if node.args.get("desc") else f"{sql} ASC NULLS FIRST"


def _frame(spec: exp.Expr) -> str:
    kind = str(spec.args["kind"]).upper()
    start = _bound(spec.args["start"], spec.args.get("start_side"))
    end = spec.args.get("end")
    if end is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(end, spec.args.get('end_side'))}"


def _bound(bound: str | exp.Expr, side: str | None) -> str:
    written = bound.sql() if isinstance(bound, exp.Expr) else str(bound)
    return f"{written} {side or ''}".strip().upper()
