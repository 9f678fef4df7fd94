"""What must become of inputs of every shape: no crash, no hang, no secret, a documented end.

A kind of input is a strategy of Hypothesis and a check.
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

from tap_mssql_query.encoding.columns import Column, Kind
from tap_mssql_query.encoding.row_encoder import Changes, records_of
from tap_mssql_query.encoding.singer_json import dump_record
from tap_mssql_query.errors import ConfigurationError, QueryFailed, StateError
from tap_mssql_query.mssql.connect import connection_string
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.select_only import refuse_writing
from tap_mssql_query.sql.template import SyncTimes, find_unknown_variables, render_query
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.run_options import RunOptions
from tap_mssql_query.sync.window import find_window
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.api.errors import ConfigurationError as TargetConfigurationError
from target_pipelines.api.errors import DeliveryError, PipelinesError, TooManyRejected
from target_pipelines.api.outcomes import Outcome as JudgedAs
from target_pipelines.delivery.retry_policy import parse_retry_after
from target_pipelines.destinations import file as file_destinations
from target_pipelines.destinations.file import FileDestination
from target_pipelines.plugins.loading import Plugins, load_plugins
from target_pipelines.run import configuration as configurations
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.pipeline import running
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
DOCUMENTED = (DeliveryError, TargetConfigurationError, TooManyRejected)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A kind of input.

    Attributes:
        strategy: where they come from.
        check: raises for an input of which the wrong thing becomes.
    """

    strategy: SearchStrategy[Any]
    check: Callable[[Any], None]


def _error_of(kind: type[_E], call: Callable[[], object]) -> _E | None:
    """The error of this kind that a call raises; what else it raises is a crash."""
    try:
        call()
    except kind as error:
        return error
    return None


class TargetInput:
    """Lines on the target's stdin; all that is logged meanwhile is looked at."""

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
        """Whatever comes in, the target delivers, or ends with an error that tells nothing."""
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        try:
            error = _error_of(PipelinesError, lambda: self._run(data))
        finally:
            logging.getLogger().removeHandler(handler)
        assert error is None or isinstance(error, DOCUMENTED), error
        assert SECRET not in f"{error}{log.getvalue()}"

    def _run(self, data: bytes) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)
        opened: list[int] = []

        def open_file(file: int, name: str) -> FileDestination:
            opened.append(file)
            return FileDestination(file, name)

        try:
            with Replacements() as code:
                code.replace(file_destinations, FileDestination, open_file)
                self._process(data)
        finally:
            for file in opened:
                os.close(file)  # the program leaves that to the end of its process

    def _process(self, data: bytes) -> None:
        pipeline = build_pipeline(
            self.configuration,
            reports={route.destination_name: RunReport() for route in self.configuration.routes},
            write_state=lambda _: None,
            check_interrupted=lambda: None,
        )
        with running(pipeline):
            for block in read_blocks(io.BytesIO(data)):
                pipeline.process(block)


def _as_json(config: Any) -> Any:
    """What a file can hold."""
    return json.loads(json.dumps(config))


def _without(config: dict[str, Any], *secrets: str) -> str:
    """What is no secret of a configuration: names and words that a message may quote."""
    return json.dumps({key: value for key, value in config.items() if key not in secrets})


def check_tap_configuration(config: dict[str, Any]) -> None:
    """Wrong settings of the tap are listed, without what a secret one holds."""
    config = _as_json(config)
    error = _error_of(ConfigurationError, lambda: parse_settings(config))

    assert SECRET not in str(error) or SECRET in _without(config, "password")


@functools.lru_cache(maxsize=64)
def _load_plugins(blocked: tuple[str, ...]) -> Plugins:
    return load_plugins(blocked)


def check_target_configuration(config: dict[str, Any]) -> None:
    """Wrong settings of the target are listed, without what a secret one holds.

    The plugins are loaded once: finding them anew takes most of a check's time.
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
    """A bookmark becomes a number between 0 and now, or an error; never SQL, never a guess."""
    state = _as_json(state)

    def read() -> None:
        bookmarks.check_state(state)
        times = find_window(SYNC, RunOptions(), state, now=1_800_000_000)
        assert times is not None
        stored = state.get("bookmarks", {}).get("users", {}).get("last_sync_time", 0)
        assert times.last_sync_time == stored
        assert 0 <= times.last_sync_time <= times.sync_time

    error = _error_of(StateError, read)

    assert SECRET not in str(error) or SECRET in state["bookmarks"]  # the name of a sync


def check_retry_after(value: str) -> None:
    """Nothing, or between 0 and 300 s."""
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= 300


def check_answer(answer: tuple[int, bytes]) -> None:
    """Every profile comes to an outcome, whose words hold nothing of the body."""
    status, body = answer
    for profile in (PROFILES[kind][0] for kind in PROFILES):
        outcome = profile.judge(status, {}, body, now=NOW)

        assert isinstance(outcome, JudgedAs)
        assert SECRET not in repr(outcome)


def _parse_connection_string(text: str) -> dict[str, str]:
    """As ODBC defines it: `name={value};`, a closing brace doubled within the value."""
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
    """Each keyword keeps its own value, whatever that is: none breaks out."""
    keywords = dict(zip(("Server", "UID", "PWD"), values, strict=True))

    assert _parse_connection_string(connection_string(keywords)) == keywords


def check_json_texts(texts: list[Any]) -> None:
    """Parsed or as text, each row of a JSON column is one line of valid JSON."""
    texts = [str(text).encode("utf-8", "replace").decode() for text in texts]
    block = pa.RecordBatch.from_pydict({"j": pa.array(texts, pa.large_string())})

    for record in records_of(block, [Column("j", Kind.JSON)], "UTC", Changes()):
        line = dump_record("s", record)
        assert line.count(b"\n") == 1
        json.loads(line)


TIMES = SyncTimes(1, 2)


def check_query(query: str) -> None:
    """A query is refused or run; no variable is left in what is run."""
    if find_unknown_variables(query):
        return
    sql = render_query(query, TIMES)

    error = _error_of(QueryFailed, lambda: refuse_writing(sql))

    assert "{{last_sync_time}}" not in sql
    assert error is not None or not sql.lstrip().startswith(("DELETE", "EXEC"))


NAMES = (
    "lines on stdin",
    "configurations of the tap",
    "configurations of the target",
    "states",
    "Retry-After",
    "bodies of answers",
    "connection values",
    "JSON columns",
    "query templates",
)


def all_inputs(folder: Path) -> dict[str, Inputs]:
    """The kinds by their names; the folder is for what the target writes."""
    kinds = (
        Inputs(inputs.INPUTS, TargetInput(folder).check),
        Inputs(inputs.TAP_CONFIGS, check_tap_configuration),
        Inputs(inputs.TARGET_CONFIGS, check_target_configuration),
        Inputs(inputs.STATE_VALUES, check_state),
        Inputs(inputs.RETRY_AFTERS, check_retry_after),
        Inputs(inputs.ANSWERS, check_answer),
        Inputs(inputs.CONNECTION_VALUES, check_connection_values),
        Inputs(inputs.JSON_TEXTS, check_json_texts),
        Inputs(inputs.QUERIES, check_query),
    )
    return dict(zip(NAMES, kinds, strict=True))
