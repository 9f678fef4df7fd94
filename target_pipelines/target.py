"""TargetPipelines: the target as singer-sdk's class, for code and tests that expect one.

The console script does without it.
"""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Any

from singer_sdk import Sink, Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_pipelines.api.errors import RecordWithoutKey, RecordWithoutSchema
from target_pipelines.command_line import command
from target_pipelines.run.runner import Runner
from target_pipelines.sdk_plugin import PipelinesPlugin

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


class TargetPipelines(PipelinesPlugin, Target):
    """Singer target that delivers rows as calls."""

    default_sink_class = Sink  # never used: records do not pass through the SDK's sinks

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("message_reader", _Reader(self))
        super().__init__(**kwargs)

    def process_endofpipe(self) -> None:
        """Nothing is left: a run ends when everything is settled."""

    def _setup_signal_handlers(self) -> None:
        self.runner = Runner(self._config)
        self.runner.catch_signals()

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The command line, which is the target's own."""
        return command
