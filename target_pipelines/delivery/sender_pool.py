"""Delivers calls: a sender thread per lane, with retries and splitting of rejected batches.

All calls with one ordering key go through one lane, and a lane has one request in flight: they
arrive in the order of their rows, at any concurrency and through retries.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from zlib import crc32

from target_pipelines.acknowledgements.dead_letter_calls import decode_call, key_of
from target_pipelines.acknowledgements.dead_letters import DeadLetter
from target_pipelines.api.errors import DeliveryStopped, PipelinesError
from target_pipelines.api.outcomes import Delivered, Fatal, PartlyRejected, Rejected, Retry
from target_pipelines.delivery.alias_order import AliasOrder
from target_pipelines.delivery.backoff import backoff_seconds
from target_pipelines.delivery.batching import bytes_by_stream, split_batch
from target_pipelines.delivery.held_input import HeldInput, detach_all
from target_pipelines.delivery.isolation import NothingPasses, Settled, isolate
from target_pipelines.delivery.lane import Lane
from target_pipelines.delivery.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.acknowledgements.settlement import Settlement
    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.destinations import Destination, Sender
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.delivery.rate_limiter import RateLimiter

_POLL_SECONDS = 0.1  # how often signals and failures of lanes are checked
_ABANDON_SECONDS = 5.0


class SenderPool:
    """Delivers calls in lanes; the first failure stops all lanes."""

    def __init__(
        self,
        destination: Destination,
        settlement: Settlement,
        report: RunReport,
        rate_limiter: RateLimiter,
        *,
        name: str,
        concurrency: int,
        max_retry_seconds: float,
        check_interrupted: Callable[[], None],
        jitter: Callable[[], float],
        key_columns: Mapping[str, Collection[str]],
        sync_times: Mapping[str, Any],
    ) -> None:
        self._key_columns = key_columns
        self._sync_times = sync_times
        self._name = name
        self._settlement = settlement
        self._report = report
        self._rate_limiter = rate_limiter
        self._max_retry_seconds = max_retry_seconds
        self._check_interrupted = check_interrupted
        self._jitter = jitter
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._accepted = 0  # batches, by all lanes; only whether it grows matters
        count = min(concurrency, destination.max_lanes or concurrency)
        self._lanes = [Lane(destination.limits) for _ in range(count)]
        self._held_input = HeldInput(self._lanes)
        self._alias_order = AliasOrder(self._lanes, self._lane_of)
        self._outage = Outage(
            name,
            max_retry_seconds=max_retry_seconds,
            count_waiting=lambda: sum(lane.waiting for lane in self._lanes),
        )
        self._senders = [destination.open_sender() for _ in self._lanes]
        self._threads = [
            threading.Thread(
                target=self._work,
                args=(lane, sender),
                name=f"{name}-lane-{number}",
                daemon=True,  # an abandoned attempt must not keep the process alive
            )
            for number, (lane, sender) in enumerate(zip(self._lanes, self._senders, strict=True))
        ]

    # The main thread's side

    def expect_aliases(self, stream: str) -> None:
        """The calls of this stream may have a `previousId`."""
        self._alias_order.streams.add(stream)

    def start(self) -> None:
        """Start the sender threads."""
        for thread in self._threads:
            thread.start()

    def put(self, calls: Sequence[EncodedCall]) -> None:
        """Queue calls in their lanes; waits until every lane has room, unless there are no calls.

        Raises the failure of a lane, or Interrupted.
        """
        self._check()
        if not calls:
            return
        for part in self._alias_order.split(calls):
            for lane in self._alias_order.find_blocking(part):
                while not lane.drain(_POLL_SECONDS):
                    self._check()
            self._queue(part)
        while not self._held_input.is_bounded():
            self._stopping.wait(_POLL_SECONDS)
            self._check()
        for lane in self._lanes:
            while not lane.wait_for_room(_POLL_SECONDS):
                self._check()
        self._check()

    def _queue(self, calls: Sequence[EncodedCall]) -> None:
        sorted_calls: dict[Lane, list[EncodedCall]] = {lane: [] for lane in self._lanes}
        for call in calls:
            sorted_calls[self._lane_of(call)].append(call)
        for lane, its_calls in sorted_calls.items():
            lane.add(its_calls)
        self._held_input.add(calls)

    def _lane_of(self, call: EncodedCall) -> Lane:
        """Stable between runs."""
        return self._lanes[crc32(call.ordering_key.encode()) % len(self._lanes)]

    def hurry(self) -> None:
        """Send all that waits, in batches that are not full."""
        for lane in self._lanes:
            lane.hurry()

    def finish(self) -> None:
        """Wait until every call is settled. Raises the failure of a lane, or Interrupted."""
        for lane in self._lanes:
            lane.end()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_POLL_SECONDS)
                self._check()
        self._check()

    def stop(self) -> None:
        """Start no new requests; from any thread."""
        self._stopping.set()
        for sender in self._senders:
            if stop := getattr(sender, "stop", None):
                stop()
        self._outage.end()
        for lane in self._lanes:
            lane.clear()

    def abandon(self) -> None:
        """Start no new requests; wait a few seconds for those in flight."""
        self.stop()
        deadline = time.monotonic() + _ABANDON_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._check_interrupted()

    # A lane's side

    def _work(self, lane: Lane, sender: Sender) -> None:
        try:
            while batch := lane.take_batch():
                self._deliver(batch, sender)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._fail(error)
        finally:
            sender.close()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None and not self._stopping.is_set():
            self._failure = error
        self.stop()

    def _deliver(self, batch: list[EncodedCall], sender: Sender) -> None:
        """Settle a batch in order; a rejected one is halved until the rejected call is alone."""
        batch = self._settlement.discard_failed(batch)
        if not batch:
            return
        accepted = self._accepted
        outcome, attempts = self._attempt(batch, sender)
        if isinstance(outcome, Retry):
            self._isolate(batch, outcome, attempts, sender, lambda: self._accepted > accepted)
        else:
            self._settle(batch, outcome, attempts, sender)

    def _settle(
        self, batch: list[EncodedCall], outcome: Settled, attempts: int, sender: Sender
    ) -> None:
        if isinstance(outcome, Delivered):
            self._accepted += 1
            self._settlement.deliver(batch)
        elif isinstance(outcome, PartlyRejected):
            self._settle_each(batch, outcome, attempts)
        elif len(batch) > 1:
            for half in split_batch(batch):
                self._deliver(half, sender)
        else:
            self._reject(batch[0], outcome, attempts)

    def _isolate(
        self,
        batch: list[EncodedCall],
        outcome: Retry,
        attempts: int,
        sender: Sender,
        has_accepted_others: Callable[[], bool],
    ) -> None:
        """Look for the calls at which the API fails. Raises DeliveryStopped if it accepts none."""
        try:
            for calls, settled in isolate(
                batch,
                lambda calls: self._attempt_once(calls, sender, is_retry=True),
                has_accepted_others,
            ):
                self._settle(calls, settled, attempts + 1, sender)
        except NothingPasses:
            raise self._exhausted(outcome, attempts) from None
        self._outage.end_of(batch)

    def _settle_each(
        self, batch: Sequence[EncodedCall], outcome: PartlyRejected, attempts: int
    ) -> None:
        """Settle a batch of which the destination rejected some calls. Raises DeliveryStopped."""
        if outcome.count != len(batch) or not set(outcome.rejected) <= set(range(len(batch))):
            raise DeliveryStopped(
                f'Destination "{self._name}" stopped this run: the response answers for '
                f"{outcome.count} calls, and the request has {len(batch)}. Check the setting "
                "`endpoint`, or update the plugin."
            )
        self._settlement.deliver([c for n, c in enumerate(batch) if n not in outcome.rejected])
        for number, call in enumerate(batch):
            if number in outcome.rejected:
                self._reject(call, outcome.rejected[number], attempts)

    def _attempt(self, batch: Sequence[EncodedCall], sender: Sender) -> tuple[Settled | Retry, int]:
        """Retry until the destination accepts or rejects the batch. Raises DeliveryStopped.

        The outcome is a Retry only if one of the calls may be to blame, and the time is over.
        """
        deadline = time.monotonic() + self._max_retry_seconds
        attempts = 0
        while True:
            outcome = self._attempt_once(batch, sender, is_retry=attempts > 0)
            attempts += 1
            if isinstance(outcome, (Delivered, PartlyRejected, Rejected)):
                if attempts > 1:
                    self._outage.end_of(batch)
                return outcome, attempts
            if isinstance(outcome, Fatal):
                raise DeliveryStopped(
                    f'Destination "{self._name}" stopped this run: {outcome.reason}.'
                )
            delay = backoff_seconds(attempts, outcome.after_seconds, self._jitter())
            if time.monotonic() + delay > deadline:
                if outcome.blames_call:
                    return outcome, attempts
                raise self._exhausted(outcome, attempts)
            detach_all(batch)  # it may wait for long
            self._outage.add(batch, outcome.reason, deadline)
            self._wait(delay)

    def _attempt_once(
        self, batch: Sequence[EncodedCall], sender: Sender, *, is_retry: bool
    ) -> Outcome:
        self._wait(self._rate_limiter.reserve())
        self._check_signal()
        started = time.monotonic()
        outcome = sender.send(batch)
        seconds = time.monotonic() - started
        self._report.add_attempt(bytes_by_stream(batch), seconds, is_retry=is_retry)
        return outcome

    def _check_signal(self) -> None:
        """Raise Interrupted after a signal; the main thread may be busy and not have stopped us."""
        self._check_interrupted()

    def _exhausted(self, outcome: Retry, attempts: int) -> DeliveryStopped:
        return DeliveryStopped(
            f'Destination "{self._name}" did not accept a batch in {attempts} attempts within '
            f"`max_retry_seconds` ({self._max_retry_seconds:g}): {outcome.reason}. Run it "
            "again later; the last state covers what was delivered."
        )

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds) if seconds > 0 else self._stopping.is_set():
            raise PipelinesError("the run is stopping")

    def _reject(self, call: EncodedCall, outcome: Rejected, attempts: int) -> None:
        sent, record = decode_call(call)
        dead_letter = DeadLetter(
            stream=call.stream,
            call_type=call.call_type,
            destination=self._name,
            reason=f"The destination rejected the call: {outcome.reason}.",
            kind="destination",
            status=outcome.status,
            attempts=attempts,
            key=key_of(record, self._key_columns.get(call.stream, ())),
            position=call.position,
            call=sent,
            record=record,
            sync_time=self._sync_times.get(call.stream),
        )
        self._settlement.reject([dead_letter], call.epoch)
