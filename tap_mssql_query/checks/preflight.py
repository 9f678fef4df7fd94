"""--check: findings about every database and sync, without reading a row."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from program_kit.findings import CheckResult, Finding, Level
from tap_mssql_query.call_types import CallTypes, CallTypesUnavailable, load_call_types
from tap_mssql_query.checks.column_types import check_ids
from tap_mssql_query.checks.database import check_database
from tap_mssql_query.checks.sync import (
    check_columns,
    check_event_ids,
    check_query_text,
    check_timestamp,
    describe_sync,
    finding_for_error,
)
from tap_mssql_query.errors import ConfigurationError, QueryFailed, ServerError, TapError
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.sync.comparisons import PLACEHOLDERS, check_comparisons
from tap_mssql_query.sync.query import render_sync
from tap_mssql_query.sync.renames import find_missed_renaming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from tap_mssql_query.mssql.describe import DescribedColumn
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import DatabaseSettings, SyncSettings, TapSettings

    FindProblems: TypeAlias = Callable[[SyncSettings, Sequence[DescribedColumn]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Preflight:
    """One check of everything that the settings name.

    Attributes:
        settings: the tap's settings.
        mapped: the names of the syncs that stream maps change.
        call_types: what a sync's type may be; None if that is not known.
        state: the Singer state; empty if none was given.
        find_left_out: problems of what should leave columns of a described result out.
    """

    settings: TapSettings
    mapped: Collection[str] = field(default=())
    call_types: CallTypes | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    find_left_out: FindProblems = lambda _sync, _columns: ()

    def run(self) -> Iterator[CheckResult]:
        """Check each database and its syncs, including disabled ones."""
        syncs = sorted(self.settings.syncs, key=lambda sync: sync.database.name or "")
        for name, group in groupby(syncs, key=lambda sync: sync.database.name):
            of_database = list(group)
            yield from self._check(name, of_database[0].database, of_database)

    def _check(
        self, name: str | None, database: DatabaseSettings, syncs: Sequence[SyncSettings]
    ) -> Iterator[CheckResult]:
        subject = f"database {name}" if name else "database"
        with contextlib.ExitStack() as stack:
            try:
                session = connect(database, self.settings)
            except TapError as error:
                level = Level.SERVER_ERROR if isinstance(error, ServerError) else Level.ERROR
                yield CheckResult(subject, [Finding(level, str(error))])
                yield from (self._check_sync(sync, None) for sync in syncs)
                return
            stack.enter_context(contextlib.closing(session))
            queries = [render_sync(sync, PLACEHOLDERS) for sync in syncs]
            findings = list(_database_findings(session, database.label, queries))
            yield CheckResult(subject, findings)
            yield from (self._check_sync(sync, session) for sync in syncs)

    def _check_sync(self, sync: SyncSettings, session: Session | None) -> CheckResult:
        findings = check_query_text(sync)
        is_one_select = all(finding.level is not Level.ERROR for finding in findings)
        findings += self._check_type(sync)
        if problem := find_missed_renaming(sync, self.settings.syncs, self.state):
            findings.append(Finding(Level.WARNING, problem))
        if session and is_one_select:
            findings += check_comparisons(session, sync)
            findings += self._check_result(sync, session)
        return CheckResult(f"sync {sync.name}", findings)

    def _check_type(self, sync: SyncSettings) -> Iterator[Finding]:
        if self.call_types is not None and sync.type not in self.call_types.names():
            known = ", ".join(self.call_types.names())
            yield Finding(Level.ERROR, f'There is no call type "{sync.type}"; known are {known}.')

    def _check_result(self, sync: SyncSettings, session: Session) -> Iterator[Finding]:
        try:
            columns = describe_sync(session, sync)
        except QueryFailed as error:
            yield finding_for_error(error)
            return
        yield from check_columns(columns, sync)
        for problem in self.find_left_out(sync, columns):
            yield Finding(Level.ERROR, problem)
        if self.call_types is not None and sync.type in self.call_types.names():
            names = [column.name for column in columns if column.name]
            if self.call_types.is_event(sync.type) and sync.name not in self.mapped:
                yield from check_timestamp(names, sync)
                yield from check_event_ids(names, sync)
            if sync.name not in self.mapped:
                yield from check_ids(names)
            yield from self.call_types.check_columns(
                names, sync.type, may_be_completed_later=sync.name in self.mapped
            )


def check_all(
    settings: TapSettings,
    mapped: Collection[str],
    state: Mapping[str, Any] | None = None,
    find_left_out: FindProblems = lambda _sync, _columns: (),
    call_types: CallTypes | None = None,
) -> Iterator[CheckResult]:
    """Check everything; no finding ends the check.

    Args:
        settings: the tap's settings.
        mapped: the names of the syncs that stream maps change.
        state: the Singer state, if one was given.
        find_left_out: problems of a sync's selection and stream maps, for a described result.
        call_types: what a sync's type may be, instead of those that are installed.
    """
    try:
        call_types = call_types or load_call_types()
    except CallTypesUnavailable as error:
        finding = Finding(Level.WARNING, f"Call types are not checked. {error}")
        yield CheckResult("plugins", [finding])
    yield from Preflight(settings, mapped, call_types, state or {}, find_left_out).run()


def raise_for_errors(results: Sequence[CheckResult]) -> None:
    """Raise ConfigurationError if any result has an error, else ServerError if any has that."""
    levels = [finding.level for result in results for finding in result.findings]
    errors, server_errors = levels.count(Level.ERROR), levels.count(Level.SERVER_ERROR)
    message = f"The check found {errors + server_errors} errors; see the table."
    if errors:
        raise ConfigurationError(message)
    if server_errors:
        raise ServerError(message)


def _database_findings(session: Session, label: str, queries: Sequence[str]) -> Iterator[Finding]:
    try:
        yield from check_database(session, label, queries)
    except QueryFailed as error:
        yield finding_for_error(error)
