"""All built-in functions, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.translation.functions import (
    aggregates,
    clock_functions,
    conditional_functions,
    date_functions,
    json_functions,
    number_functions,
    system_functions,
    text_functions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function

FUNCTIONS: Mapping[str, Function] = {
    **aggregates.FUNCTIONS,
    **clock_functions.FUNCTIONS,
    **conditional_functions.FUNCTIONS,
    **date_functions.FUNCTIONS,
    **json_functions.FUNCTIONS,
    **number_functions.FUNCTIONS,
    **system_functions.FUNCTIONS,
    **text_functions.FUNCTIONS,
}
