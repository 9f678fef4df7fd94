"""Meltano's `select` and `metadata`, applied to the columns that a query returns. Pure.

Meltano writes its selection into the catalog, where it cannot name a column with dots: for
`!users.traits.email` it looks for a column `email` in a column `traits`, finds none, and leaves
`traits.email` selected. It also tells its rules in the environment, so they are applied here to the
real columns, as Meltano applies them, with the dots as a part of the name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tap_mssql_query.settings.stream_maps import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.singerlib import CatalogEntry

SELECT, METADATA = "MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__METADATA"
CUSTOM_CATALOG = "MELTANO_EXTRACT__CATALOG"
STREAM_MAPS = "MELTANO_EXTRACT_STREAM_MAPS"
"""The environment variables of Meltano 4 for an extractor, whatever its name."""

_UNESCAPED_DOT = re.compile(r"(?<!\\)\.")
_WILDCARD = re.compile(r"[*?\[]")
_SELECTED = "selected"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `stream` and `column` are patterns, `text` is what the user wrote."""

    stream: str
    column: str
    selects: bool
    text: str

    def applies_to(self, sync: str) -> bool:
        """Whether the rule is about columns of this sync."""
        return fnmatchcase(sync, self.stream)

    def matches(self, column: str) -> bool:
        """Whether the rule is about this column of the syncs that it applies to."""
        return fnmatchcase(column, self.column)

    def decides(self, column: str) -> bool:
        """Whether the rule sets the selection of this column: a part selects the whole, too."""
        return self.matches(column) or (self.selects and self.column.startswith(f"{column}."))

    @property
    def names_one_sync(self) -> bool:
        """Whether it is about one sync, and not about a pattern of them."""
        return not _WILDCARD.search(self.stream)


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules in the order in which they take effect: the last one that matches counts."""

    rules: Sequence[Rule] = ()

    def selected(self, sync: str, columns: Sequence[str], keys: Sequence[str]) -> dict[str, bool]:
        """Whether each column is sent; keys always are."""
        rules = [rule for rule in self.rules if rule.applies_to(sync)]
        last = {
            column: next((rule.selects for rule in reversed(rules) if rule.decides(column)), False)
            for column in columns
        }
        return {column: column in keys or is_selected for column, is_selected in last.items()}

    def find_problems(
        self, sync: str, columns: Sequence[str], keys: Sequence[str]
    ) -> Iterator[str]:
        """A sentence for each rule that leaves something out which would be sent, or is not there.

        Sending the rows in spite of it would be a leak.
        """
        for rule in self.rules:
            if rule.selects or rule.column == "*" or not rule.applies_to(sync):
                continue
            matched = [column for column in columns if rule.matches(column)]
            for key in (column for column in matched if column in keys):
                yield (
                    f"{rule.text} leaves out `{key}`, which is one of its `key_columns` and always "
                    "sent. Take it out of one of them."
                )
            if not matched and rule.names_one_sync:
                yield (
                    f"{rule.text} leaves out a column that its result does not have"
                    f"{did_you_mean(rule.column, columns)}. Correct the name, or remove the rule; "
                    "until then nothing of it is sent."
                )

    def find_warnings(self, sync: str, columns: Sequence[str]) -> Iterator[str]:
        """A sentence for each rule that selects a column which is not there."""
        for rule in self.rules:
            is_exact = rule.stream == sync and not _WILDCARD.search(rule.column)
            first = rule.column.partition(".")[0]
            if rule.selects and is_exact and not {rule.column, first} & set(columns):
                yield (
                    f"{rule.text} selects a column that its result does not have"
                    f"{did_you_mean(rule.column, columns)}."
                )

    def find_unknown_syncs(self, syncs: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """A sentence for each rule for a sync that does not exist, and whether it leaves out."""
        for rule in self.rules:
            if rule.names_one_sync and rule.stream not in syncs:
                hint = did_you_mean(rule.stream, syncs)
                problem = f"{rule.text} names `{rule.stream}`, but no sync is called that{hint}."
                yield f"{problem} Correct the name, or remove the rule.", not rule.selects


def read_selection(environment: Mapping[str, str]) -> Selection | None:
    """The rules that Meltano tells; None without Meltano, or with a catalog of the user's own."""
    patterns, metadata = _read(environment, SELECT, list), _read(environment, METADATA, dict)
    if patterns is None or environment.get(CUSTOM_CATALOG):
        return None
    rules = [_parse_pattern(pattern) for pattern in patterns if isinstance(pattern, str)]
    included = [rule for rule in rules if rule.selects]
    excluded = [rule for rule in rules if not rule.selects]
    return Selection((*included, *excluded, *_metadata_rules(metadata or {})))


def read_stream_maps(environment: Mapping[str, str]) -> Any:
    """The stream maps that Meltano tells, with their nulls; None if it tells none."""
    return _read(environment, STREAM_MAPS, dict)


def _read(environment: Mapping[str, str], name: str, kind: type) -> Any:
    try:
        value = json.loads(environment.get(name, ""))
    except ValueError:
        return None
    return value if isinstance(value, kind) else None


def _parse_pattern(pattern: str) -> Rule:
    text = f"`select` with `{pattern}`"
    path = pattern.removeprefix("!")
    stream, *column = _UNESCAPED_DOT.split(path, maxsplit=1)
    return Rule(
        stream.replace(r"\.", "."),
        column[0].replace(r"\.", ".") if column else "*",
        selects=path == pattern,
        text=text,
    )


def _metadata_rules(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Rule]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _metadata_rules(item, (*path, name))
            continue
        stream, *column, key = ".".join((*path, name)).split(".")
        if key == _SELECTED and column:
            is_selected = item not in (False, "false", None)
            text = f"`metadata` of `{stream}.{'.'.join(column)}`"
            yield Rule(stream, ".".join(column), selects=is_selected, text=text)


def find_unknown_deselections(entry: CatalogEntry, columns: Sequence[str]) -> Iterator[str]:
    """A sentence for each column that a catalog leaves out, and that neither it nor the result has.

    A column that only the catalog knows was removed from the query.
    """
    known = {*columns, *(entry.schema.properties or {})}
    for breadcrumb, metadata in entry.metadata.items():
        path = breadcrumb[1::2]
        if path and metadata.selected is False and path[0] not in known:
            name = ".".join(path)
            yield (
                f"The catalog leaves out `{name}`, a column that its result does not have"
                f"{did_you_mean(name, columns)}. Correct the breadcrumb (the name of a column with "
                "dots is one part of it), or remove the entry; until then nothing of it is sent."
            )
