"""The log of the front door: short lines on a terminal; elsewhere logfmt, or JSON if asked for."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from program_kit.events import is_of_interest
from program_kit.logs import has_log_level, log_level

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTO, TEXT, LOGFMT, JSON = "auto", "text", "logfmt", "json"
FORMATS = (AUTO, TEXT, LOGFMT, JSON)
"""`auto` is text on a terminal, logfmt elsewhere."""
_NAME = "mssql-reverse-etl"
_FIELD = re.compile(r"(\w+)=(\S+?):?(?:\s+|$)")
_PLAIN = re.compile(r"""[^\s"=]+""")
_NUMBER = re.compile(r"(0|[1-9]\d{0,17})(\.\d+)?")
_NAMES = frozenset({"sync", "stream", "destination", "message"})
"""Fields that are texts, even of digits alone."""
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


def configure_log(log_format: str = AUTO) -> None:
    """Let all loggers write to stderr in this format; a second call replaces the first."""
    if log_format == AUTO:
        log_format = TEXT if sys.stderr.isatty() else LOGFMT
    handler: logging.Handler = _TextHandler() if log_format == TEXT else logging.StreamHandler()
    if log_format == TEXT and not has_log_level(_NAME):
        handler.setLevel(logging.WARNING)  # the tables say the rest
    handler.addFilter(is_of_interest)
    handler.setFormatter(_FORMATTERS[log_format]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level(_NAME))


def is_for_programs() -> bool:
    """Whether the log is the only output that is wanted: no tables stand between its lines."""
    return any(isinstance(h.formatter, _JSONFormatter) for h in logging.getLogger().handlers)


def split_fields(message: str) -> tuple[dict[str, str], str]:
    """The fields `name=value` at the beginning of a message, and the rest."""
    fields: dict[str, str] = {}
    end = 0
    while match := _FIELD.match(message, end):
        fields[match[1]] = match[2]
        end = match.end()
    return fields, message[end:]


class _TextHandler(logging.Handler):
    """Prints a message as a line for people; outcomes are in the table at the end."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if not getattr(record, "is_outcome", False):
                console = Console(stderr=True)
                console.print(_line_of(record), soft_wrap=not console.is_terminal)
        except OSError:  # a full disk, or a terminal that is gone
            return


def _line_of(record: logging.LogRecord) -> Text:
    if getattr(record, "is_raw", False):
        return Text(record.getMessage())
    fields, rest = split_fields(record.getMessage())
    subject = fields.pop("sync", None) or fields.pop("stream", "")
    others = "".join(f"{name}={value} " for name, value in fields.items())
    style = _STYLES.get(record.levelno, "dim")
    return Text.assemble(
        (record.levelname.lower(), style),
        " ",
        (f"{subject}: " if subject else "", "bold"),
        others,
        rest,
    )


class _FieldsFormatter(logging.Formatter):
    """Formats a record as fields: time, level, those that the message begins with, the message."""

    def format(self, record: logging.LogRecord) -> str:
        fields, rest = split_fields(record.getMessage())
        if record.exc_info:
            rest += "\n" + self.formatException(record.exc_info)
        time = datetime.fromtimestamp(record.created, UTC).astimezone()
        first = {"time": time.isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
        return self.encode({**first, **fields, **({"message": rest} if rest else {})})

    def encode(self, fields: Mapping[str, Any]) -> str:
        """The fields as one line."""
        raise NotImplementedError


class _LogfmtFormatter(_FieldsFormatter):
    def encode(self, fields: Mapping[str, Any]) -> str:
        return " ".join(f"{name}={_quote(value)}" for name, value in fields.items())


class _JSONFormatter(_FieldsFormatter):
    def encode(self, fields: Mapping[str, Any]) -> str:
        typed = {n: v if n in _NAMES else _number_of(v) for n, v in fields.items()}
        return json.dumps(typed, ensure_ascii=False)


def _number_of(value: str) -> Any:
    """The number that a field is, or its text."""
    return json.loads(value) if _NUMBER.fullmatch(value) else value


def _quote(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


_FORMATTERS: Mapping[str, type[logging.Formatter]] = {
    TEXT: logging.Formatter,
    LOGFMT: _LogfmtFormatter,
    JSON: _JSONFormatter,
}


def log_format_of_environment() -> str:
    """What `MSSQL_REVERSE_ETL_LOG_FORMAT` asks for; `auto` if it asks for nothing that exists."""
    wanted = os.environ.get("MSSQL_REVERSE_ETL_LOG_FORMAT", AUTO)
    return wanted if wanted in FORMATS else AUTO
