"""Checks of inputs of every shape: no crash, no hang, no secret, a documented result.

A kind of input is a Hypothesis strategy and a check.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from tap_mssql_query.encoding.columns import Column, ColumnKind
from tap_mssql_query.encoding.row_encoder import LossyConversions, records_of
from tap_mssql_query.encoding.singer_json import dump_record
from tap_mssql_query.errors import ConfigurationError, QueryFailed, StateError
from tap_mssql_query.mssql.connect import connection_string
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.select_only import SelectQuery
from tap_mssql_query.sql.template import (
    SyncTimes,
    find_unknown_variables,
    find_variables,
    render_query,
)
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.run_options import RunOptions
from tap_mssql_query.sync.window import find_window
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.errors import PipelinesError
from target_pipelines.api.outcomes import Outcome
from target_pipelines.destinations import file as file_destinations
from target_pipelines.destinations.file import FileSender
from target_pipelines.destinations.responses import parse_retry_after
from target_pipelines.plugins.loading import PluginRegistry, load_plugins
from target_pipelines.run import configuration as configurations
from target_pipelines.run.bookkeeping import find_newer_calls, keep_books
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.lifecycle import running
from target_pipelines.singer.line_reader import read_blocks
from tests.reliability import fuzz_inputs as inputs
from tests.reliability.fuzz_inputs import SECRET
from tests.reliability.http_responses import NOW, PROFILES
from tests.reliability.replacements import Replacements

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

_E = TypeVar("_E", bound=Exception)
DOCUMENTED_EXIT_CODES = (2, 4, 5)
"""Of an input's faults; any other code is a bug."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """A kind of input.

    Attributes:
        strategy: generates the inputs.
        check: raises if the product treats an input wrongly.
    """

    strategy: SearchStrategy[Any]
    check: Callable[[Any], None]


def _error_of(kind: type[_E], call: Callable[[], object]) -> _E | None:
    """The error of this kind that a call raises; any other exception is a crash."""
    try:
        call()
    except kind as error:
        return error
    return None


class TargetInput:
    """Lines on the target's stdin; everything that is logged meanwhile is checked."""

    def __init__(self, folder: Path) -> None:
        self.configuration = load_configuration(
            {
                "destination": "file",
                "output_path": str(folder / "calls"),
                "dead_letter_path": str(folder / "letters"),
                "write_key": SECRET,
            }
        )
        self._files = [folder / "calls", folder / "letters"]

    def check(self, data: bytes) -> None:
        """The target delivers any input, or ends with a documented error without a secret."""
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        try:
            error = _error_of(PipelinesError, lambda: self._run(data))
        finally:
            logging.getLogger().removeHandler(handler)
        assert error is None or error.exit_code in DOCUMENTED_EXIT_CODES, error
        assert SECRET not in f"{error}{log.getvalue()}"

    def _run(self, data: bytes) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)
        opened: list[int] = []

        def open_file(file: int, name: str) -> FileSender:
            opened.append(file)
            return FileSender(file, name)

        try:
            with Replacements() as code:
                code.replace(file_destinations, FileSender, open_file)
                self._process(data)
        finally:
            for file in opened:
                os.close(file)  # the program leaves this to the end of its process

    def _process(self, data: bytes) -> None:
        failures = StreamFailures()
        reports = {own.destination_name: RunReport() for own in self.configuration.destinations}
        pipeline = build_pipeline(
            self.configuration,
            reports=reports,
            bookkeeping=keep_books(
                self.configuration,
                reports=reports,
                failures=failures,
                newer_calls=find_newer_calls(self.configuration),
                write_state=lambda _: None,
            ),
            check_interrupted=lambda: None,
        )
        dispatcher = Dispatcher(
            pipeline,
            plugins=self.configuration.plugins,
            call_types=self.configuration.settings.call_types,
            failures=failures,
        )
        with running(pipeline):
            for block in read_blocks(io.BytesIO(data)):
                dispatcher.dispatch(block)
        failures.raise_failures()


def _as_json(config: Any) -> Any:
    """The configuration as a JSON file would hold it."""
    return json.loads(json.dumps(config))


def _without(config: dict[str, Any], *secrets: str) -> str:
    """The parts of a configuration that are not secret and that a message may quote."""
    return json.dumps({key: value for key, value in config.items() if key not in secrets})


def check_tap_configuration(config: dict[str, Any]) -> None:
    """Wrong settings of the tap are listed, without the value of a secret."""
    config = _as_json(config)
    error = _error_of(ConfigurationError, lambda: parse_settings(config))

    assert SECRET not in str(error) or SECRET in _without(config, "password")


@functools.lru_cache(maxsize=64)
def _load_plugins(blocked: tuple[str, ...]) -> PluginRegistry:
    return load_plugins(blocked)


def check_target_configuration(config: dict[str, Any]) -> None:
    """Wrong settings of the target are listed, without the value of a secret.

    The plugins are loaded once: loading them takes most of a check's time.
    """
    config = _as_json(config)
    with Replacements() as code:
        code.replace(configurations, load_plugins, lambda names: _load_plugins((*names,)))
        error = _error_of(PipelinesError, lambda: load_configuration(config))

    assert error is None or error.exit_code in (2, 6)
    secrets = ("write_key", "message_id_salt", "destinations")
    assert SECRET not in str(error) or SECRET in _without(config, *secrets)


SYNC = parse_settings(
    {"host": "h", "syncs": [{"name": "users", "type": "identify", "query": "SELECT 1"}]}
).syncs[0]


def check_state(state: Any) -> None:
    """A bookmark gives a number between 0 and now, or an error; never SQL, never a guess."""
    state = _as_json(state)

    def read() -> None:
        unwrapped = bookmarks.unwrap_state(state)
        times = find_window(SYNC, RunOptions(), unwrapped, now=1_800_000_000)
        assert times is not None
        stored = unwrapped.get("bookmarks", {}).get("users", {}).get("last_sync_time", 0)
        assert times.last_sync_time == stored
        assert 0 <= times.last_sync_time <= times.sync_time

    error = _error_of(StateError, read)

    names = state.get("bookmarks", state) if isinstance(state, dict) else ()
    assert SECRET not in str(error) or SECRET in names  # the name of a sync


def check_retry_after(value: str) -> None:
    """The wait is absent or between 0 and 300 s."""
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= 300


def check_response(response: tuple[int, bytes]) -> None:
    """Every profile classifies the response, and quotes nothing of its body."""
    status, body = response
    for profile in (PROFILES[kind][0] for kind in PROFILES):
        outcome = profile.classify(status, {}, body, now=NOW)

        assert isinstance(outcome, Outcome)
        assert SECRET not in repr(outcome)


def _parse_connection_string(text: str) -> dict[str, str]:
    """Parse as ODBC does: `name={value};`, with closing braces doubled within the value."""
    found = {}
    while text:
        name, _, text = text.partition("={")
        value = ""
        while True:
            part, _, text = text.partition("}")
            value += part
            if not text.startswith("}"):
                break
            value, text = value + "}", text[1:]
        assert text.startswith(";")
        found[name] = value
        text = text[1:]
    return found


def check_connection_values(values: tuple[str, ...]) -> None:
    """Each keyword keeps its own value: no value adds or changes another keyword."""
    keywords = dict(zip(("Server", "UID", "PWD"), values, strict=True))

    assert _parse_connection_string(connection_string(keywords)) == keywords


def check_json_texts(texts: list[Any]) -> None:
    """Parsed or as text, each row of a JSON column gives one line of valid JSON."""
    texts = [str(text).encode("utf-8", "replace").decode() for text in texts]
    block = pa.RecordBatch.from_pydict({"j": pa.array(texts, pa.large_string())})

    for record in records_of(block, [Column("j", ColumnKind.JSON)], "UTC", LossyConversions()):
        line = dump_record("s", record)
        assert line.count(b"\n") == 1
        json.loads(line)


TIMES = SyncTimes(1, 2)


def check_query(query: str) -> None:
    """A query is refused or run; a query that runs has no variable left."""
    if find_unknown_variables(query):
        return
    sql = render_query(query, TIMES)

    error = _error_of(QueryFailed, lambda: SelectQuery(sql))

    assert "last_sync_time" not in find_variables(sql)
    assert error is not None or not sql.lstrip().startswith(("DELETE", "EXEC"))


NAMES = (
    "lines on stdin",
    "configurations of the tap",
    "configurations of the target",
    "states",
    "Retry-After",
    "bodies of responses",
    "connection values",
    "JSON columns",
    "query templates",
)


def all_inputs(folder: Path) -> dict[str, Inputs]:
    """All kinds by name; `folder` is for the files that the target writes."""
    kinds = (
        Inputs(inputs.INPUTS, TargetInput(folder).check),
        Inputs(inputs.TAP_CONFIGS, check_tap_configuration),
        Inputs(inputs.TARGET_CONFIGS, check_target_configuration),
        Inputs(inputs.STATE_VALUES, check_state),
        Inputs(inputs.RETRY_AFTERS, check_retry_after),
        Inputs(inputs.RESPONSES, check_response),
        Inputs(inputs.CONNECTION_VALUES, check_connection_values),
        Inputs(inputs.JSON_TEXTS, check_json_texts),
        Inputs(inputs.QUERIES, check_query),
    )
    return dict(zip(NAMES, kinds, strict=True))
