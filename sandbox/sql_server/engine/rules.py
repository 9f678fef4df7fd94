"""The translation rules of all kinds of nodes, and a translator that follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.conditions import CONDITIONS
from sandbox.sql_server.engine.expressions import EXPRESSIONS
from sandbox.sql_server.engine.queries import QUERIES
from sandbox.sql_server.engine.translation import Rules, Translator

if TYPE_CHECKING:
    from sandbox.sql_server.engine.catalog.execution_context import Surroundings

_RULES = Rules(expressions=EXPRESSIONS, conditions=CONDITIONS, queries=QUERIES)


def new_translator(context: Surroundings) -> Translator:
    """A translator for one statement."""
    return Translator(context, _RULES)
