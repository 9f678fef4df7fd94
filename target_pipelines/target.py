"""TargetPipelines: the target as singer-sdk knows it, for `--about`, Meltano and the SDK's tests.

A run does without it: loading the SDK takes as long as delivering thirty thousand rows.
"""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Sink, Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_pipelines.api.errors import RecordWithoutKey, RecordWithoutSchema
from target_pipelines.api.settings_table import CONFIG_JSONSCHEMA
from target_pipelines.command_line import NAME, PACKAGE, command
from target_pipelines.run.runner import Runner

if TYPE_CHECKING:
    from collections import Counter

    import click


class _Reader(GenericSingerReader[Any]):
    """Lets the SDK read through the target's own loop."""

    def __init__(self, target: TargetPipelines) -> None:
        super().__init__()
        self._target = target

    @property
    def default_input(self) -> IO[Any]:
        """stdin, as it is now."""
        return sys.stdin

    def process_lines(self, file_input: IO[Any] | None, callbacks: object) -> Counter[str]:  # noqa: ARG002
        """Process all lines. Raises PipelinesError, or what the SDK calls it."""
        try:
            return self._target.runner.deliver(file_input or self.default_input)
        except RecordWithoutSchema as error:
            raise RecordsWithoutSchemaException(str(error)) from error
        except RecordWithoutKey as error:
            raise MissingKeyPropertiesError(str(error)) from error

    def deserialize_json(self, line: Any) -> dict[str, Any]:
        """One line's message; the loop has a faster way."""
        message: dict[str, Any] = json.loads(line)
        return message


class TargetPipelines(Target):
    """Singer target that delivers rows as calls."""

    name = NAME
    package_name = PACKAGE
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    default_sink_class = Sink  # never used: records do not pass through the SDK's sinks

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("message_reader", _Reader(self))
        super().__init__(**kwargs)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Nothing of the SDK's: its settings are about tables."""

    def setup_mapper(self) -> None:
        """No stream maps: mapping is what the target is for; the tap has them."""
        PluginBase.setup_mapper(self)

    def process_endofpipe(self) -> None:
        """Nothing is left: a run ends when everything is settled."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Nothing yet: a run checks everything at once, plugins included."""
        return []

    def _setup_signal_handlers(self) -> None:
        self.runner = Runner(self._config)
        self.runner.catch_signals()

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The command line, which is the target's own."""
        return command
