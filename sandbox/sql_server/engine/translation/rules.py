"""The translation rules of all kinds of nodes, and a translator that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.translation.conditions import CONDITIONS
from sandbox.sql_server.engine.translation.expressions import EXPRESSIONS
from sandbox.sql_server.engine.translation.queries import QUERIES
from sandbox.sql_server.engine.translation.translator import Rules, Translator

if TYPE_CHECKING:
    from sandbox.sql_server.engine.catalog.execution_context import ExecutionContext

_RULES = Rules(expressions=EXPRESSIONS, conditions=CONDITIONS, queries=QUERIES)


def new_translator(context: ExecutionContext) -> Translator:
    """A translator for one statement."""
    return Translator(context, _RULES)
