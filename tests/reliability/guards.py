"""Guards that a started program can run without, so that a test sees whether they are missed.

Used only in the processes that these tests start. Each removal changes one rule and nothing else,
and fails if the program has nothing that it could change.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests
from msgspec import structs

from tap_mssql_query.errors import ServerError
from tap_mssql_query.sync.run import SyncRun
from target_pipelines.acknowledgements import dead_letters
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.api.outcomes import Delivered, Fatal, Rejected, Retry
from target_pipelines.delivery.sender_pool import SenderPool
from target_pipelines.destinations.http_sender import HttpSender
from target_pipelines.encoding import encoder
from target_pipelines.encoding.message_ids import EventIds, FactIds, Repeats
from target_pipelines.encoding.ordering_keys import OrderingKeys
from target_pipelines.run import build
from target_pipelines.run.destination_pipeline import DestinationPipeline
from target_pipelines.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.destinations import Sender
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.run.bookkeeping import Bookkeeping
    from target_pipelines.singer.streams import Stream
    from tests.reliability.replacements import Replacements

POWER = "power"


def remove(code: Replacements, names: Iterable[str]) -> None:
    """Remove these guards from this process. Raises LookupError if one is not there."""
    for name in names:
        REMOVALS[name](code)


# Acknowledgements


def _print_states_at_once(code: Replacements) -> None:
    """A STATE is printed when it is read, whatever is settled."""

    def add_state(self: Acks, state: dict[str, Any]) -> None:
        self._write_state(state, -1)

    code.replace(Acks, Acks.add_state, add_state)


def _settle_before_dead_letter(code: Replacements) -> None:
    """Dead letters are written at the end of the run, after the STATEs that cover them."""
    append, finish = DeadLetters.append, Pipeline.finish
    waiting: list[tuple[DeadLetters, list[bytes]]] = []

    def append_later(self: DeadLetters, lines: Iterable[bytes]) -> None:
        waiting.append((self, list(lines)))

    def finish_and_write(self: Pipeline) -> None:
        finish(self)
        for file, lines in waiting:
            append(file, lines)

    code.replace(DeadLetters, append, append_later)
    code.replace(Pipeline, finish, finish_and_write)


def _dead_letters_without_fsync(code: Replacements) -> None:
    """Dead letters are written and not synced."""
    code.override(dead_letters, os, fsync=lambda _file: None)


def _first_worker_decides(code: Replacements) -> None:
    """A STATE is printed when one worker has settled what came before it."""

    def settle_for_all(self: Acks, epochs: Iterable[int]) -> None:
        with self._lock:
            for epoch in set(epochs) & {epoch.number for epoch in self._epochs}:
                self._epochs[epoch - self._epochs[0].number].unsettled = 0
            self._write_safe()

    code.replace(Acks, Acks.settle_each, settle_for_all)


def _destinations_do_not_wait(code: Replacements) -> None:
    """A STATE waits for the first destination alone."""
    made = itertools.count()

    def new_route(
        settings: Any, destination: Any, books: Bookkeeping, **more: Any
    ) -> DestinationPipeline:
        own = Acks(lambda _state, _epoch: None)
        books = books if next(made) == 0 else replace(books, acks=own)
        return DestinationPipeline(settings, destination, books, **more)

    code.replace(build, DestinationPipeline, new_route)


def _lose_calls(code: Replacements) -> None:
    """The first call of each block is settled and counted nowhere, and no count is checked."""
    put = SenderPool.put

    def lose(self: SenderPool, calls: Sequence[EncodedCall]) -> None:
        for call in calls[:1]:
            self._settlement._acks.settle(call.epoch)
        put(self, calls[1:])

    code.replace(RunReport, RunReport.is_settled, True)
    code.replace(SenderPool, put, lose)


# Order and identity


def _any_lane(code: Replacements) -> None:
    """Calls go to any lane, whatever their ordering key is."""
    keys = map(str, itertools.count())
    put = SenderPool.put

    def put_anywhere(self: SenderPool, calls: Sequence[EncodedCall]) -> None:
        put(self, [structs.replace(call, ordering_key=next(keys)) for call in calls])

    code.replace(SenderPool, put, put_anywhere)


def _any_worker(code: Replacements) -> None:
    """Records go to any worker, whatever their ordering key is."""
    keys = map(str, itertools.count())

    def find(_self: OrderingKeys, _record: Mapping[str, Any]) -> str:
        return next(keys)

    def find_all(_self: OrderingKeys, block: bytes) -> list[str]:
        return [next(keys) for _ in block.splitlines()]

    code.replace(OrderingKeys, OrderingKeys.find, find)
    code.replace(OrderingKeys, OrderingKeys.find_all, find_all)


def _ids_without_window(code: Replacements) -> None:
    """MessageIds depend neither on `x-sync-time` nor on `x-last-sync-time`."""

    def make_fact_ids(stream: Stream, salt: str) -> FactIds:
        return FactIds(dataclasses.replace(stream, sync_time=0), salt)

    def make_event_ids(stream: Stream, salt: str, repeats: Repeats) -> EventIds:
        return EventIds(dataclasses.replace(stream, last_sync_time=0), salt, repeats)

    code.replace(encoder, FactIds, make_fact_ids)
    code.replace(encoder, EventIds, make_event_ids)


def _random_event_ids(code: Replacements) -> None:
    """The messageId of an event differs between runs."""
    salt = os.urandom(8).hex()

    def make_ids(stream: Stream, _salt: str, repeats: Repeats) -> EventIds:
        return EventIds(stream, salt, repeats)

    code.replace(encoder, EventIds, make_ids)


# Outcomes of requests


def _reject_whole_batches(code: Replacements) -> None:
    """A rejected batch is not split: all its calls become dead letters."""

    def reject_all(self: SenderPool, batch: list[EncodedCall], sender: Sender) -> None:
        outcome, attempts = self._attempt(batch, sender)
        if not isinstance(outcome, Rejected):
            self._settlement.deliver(batch)
            return
        for call in batch:
            self._reject(call, outcome, attempts)

    code.replace(SenderPool, SenderPool._deliver, reject_all)


def _retries_count_as_delivered(code: Replacements) -> None:
    """A failed request is not retried: it counts as delivered."""
    _count_as_delivered(code, lambda outcome: isinstance(outcome, Retry))


def _login_pages_count_as_delivered(code: Replacements) -> None:
    """A 200 counts as delivered, whatever its body is."""
    _count_as_delivered(
        code, lambda outcome: isinstance(outcome, Fatal) and "HTTP 200" in outcome.reason
    )


def _count_as_delivered(code: Replacements, applies: Callable[[Outcome], bool]) -> None:
    send = HttpSender.send

    def send_and_believe(self: HttpSender, calls: Sequence[EncodedCall]) -> Outcome:
        outcome = send(self, calls)
        return Delivered() if applies(outcome) else outcome

    code.replace(HttpSender, send, send_and_believe)


def _follow_redirects(code: Replacements) -> None:
    """Redirects are followed, as HTTP clients do by default."""
    post = requests.Session.post

    @functools.wraps(post)
    def follow(self: requests.Session, url: str, **options: Any) -> requests.Response:
        return post(self, url, **{**options, "allow_redirects": True})

    code.replace(requests.Session, post, follow)


# The tap


def _states_after_failed_syncs(code: Replacements) -> None:
    """The tap moves the bookmark although reading failed."""
    copy = SyncRun._copy_rows

    def copy_some(self: SyncRun, *arguments: Any) -> None:
        with contextlib.suppress(ServerError):
            copy(self, *arguments)

    code.replace(SyncRun, copy, copy_some)


# The disk


def _cut_the_power(code: Replacements) -> None:
    """Dead letters reach the disk only with their fsync, as if the power failed at the end."""
    lock, unwritten = threading.Lock(), dict[int, bytearray]()

    def write(file: int, data: bytes) -> int:
        with lock:
            unwritten.setdefault(file, bytearray()).extend(data)
        return len(data)

    def fsync(file: int) -> None:
        with lock:
            os.write(file, unwritten.pop(file, b""))
        os.fsync(file)

    def close(file: int) -> None:
        with lock:
            unwritten.pop(file, None)
        os.close(file)

    code.override(dead_letters, os, write=write, fsync=fsync, close=close)


REMOVALS: Mapping[str, Callable[[Replacements], None]] = {
    POWER: _cut_the_power,
    "states wait for their rows": _print_states_at_once,
    "dead letters before states": _settle_before_dead_letter,
    "dead letters are on the disk": _dead_letters_without_fsync,
    "a person has one lane": _any_lane,
    "a person has one worker": _any_worker,
    "ids know the window": _ids_without_window,
    "ids are the same again": _random_event_ids,
    "rejected batches are split": _reject_whole_batches,
    "failures are retried": _retries_count_as_delivered,
    "login pages are not deliveries": _login_pages_count_as_delivered,
    "redirects are not followed": _follow_redirects,
    "failed syncs have no state": _states_after_failed_syncs,
    "states wait for all workers": _first_worker_decides,
    "states wait for all destinations": _destinations_do_not_wait,
    "calls are counted": _lose_calls,
}
