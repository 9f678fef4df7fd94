"""Call types: what a plugin registers, and the check of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jsonschema_rs import validator_for

from target_pipelines.api.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]
"""A JSON object. Non-integer numbers are `decimal.Decimal`, so that no digit is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallType:
    """A kind of call that a plugin registers.

    Attributes:
        name: the value of a sync's `type`, such as `identify`.
        summary: one line, for `--list-call-types`.
        schema: JSON Schema (draft 2020-12) of the finished call. Columns with the names of its
            `properties` become top-level fields; columns reach into objects by dots.
        extra_columns: where all other columns go: `traits`, `properties`, or nowhere (None).
        sends_as: the API's name of the call, if it is not `name`.
        is_event: whether two equal rows are two events. Otherwise they are one fact, sent twice.
        build: finishes the mapped call; None filters the row out. It must be deterministic, or a
            repeated row gets another messageId.
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
        """The call's `type` in requests to the API."""
        return self.sends_as or self.name


def check_schema(call_type: CallType, plugin: str) -> None:
    """Raise PluginError if the call type's schema is not a JSON Schema."""
    try:
        validator_for(dict(call_type.schema))
    except ValueError as error:
        reason = _describe_error(call_type.schema) or str(error).splitlines()[0]
        raise PluginError(
            f'Call type "{call_type.name}" of plugin "{plugin}" has an invalid JSON Schema: '
            f"{reason}. Correct it, or block the plugin with `blocked_plugins`."
        ) from error


def _describe_error(schema: Mapping[str, Any]) -> str:
    """The error in a schema, as jsonschema describes it; empty if it finds none."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return error.message.splitlines()[0]
    return ""
