"""What a call type is, and what makes one usable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jsonschema_rs import validator_for

from target_pipelines.api.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]
"""A JSON object. Numbers that are no integers are `decimal.Decimal`, so that no digit is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallType:
    """A kind of call, as a plugin offers it.

    Attributes:
        name: what a sync's `type` says, such as `identify`.
        summary: one line for `--list-call-types`.
        schema: JSON Schema (draft 2020-12) of the finished call. Its `properties` are the names
            that a column may have to reach the top level; objects among them nest by dots.
        extra_columns: where all other columns go: `traits`, `properties`, or nowhere (None).
        sends_as: the API's name of the call, where it is not `name`.
        is_event: whether two equal rows are two events, rather than one fact said twice.
        build: finishes a call that the columns made; None filters the row out. It must return the
            same for the same call, or a repeat gets another messageId.
    """

    name: str
    summary: str
    schema: Mapping[str, Any]
    extra_columns: Literal["traits", "properties"] | None = None
    sends_as: str | None = None
    is_event: bool = False
    build: Callable[[Json], Json | None] | None = None

    @property
    def api_type(self) -> str:
        """The value of `type` in the request."""
        return self.sends_as or self.name


def check_schema(call_type: CallType, plugin: str) -> None:
    """Raise PluginError if the call type's schema is no JSON Schema."""
    try:
        validator_for(dict(call_type.schema))
    except ValueError as error:
        reason = _find_fault(call_type.schema) or str(error).splitlines()[0]
        raise PluginError(
            f'Call type "{call_type.name}" of plugin "{plugin}" has a faulty JSON Schema: '
            f"{reason}. Correct it, or block the plugin with `blocked_plugins`."
        ) from error


def _find_fault(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema, in the words of jsonschema; empty if that finds nothing."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return error.message.splitlines()[0]
    return ""
