"""Guards that a started program can run without, so that a test sees whether they are missed.

For the started processes of these tests alone. Each removal changes one rule and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


POWER = "power"


def remove(names: Iterable[str]) -> None:
    """Take these guards out of this process."""
    for name in names:
        REMOVALS[name]()


def _print_states_at_once() -> None:
    """A STATE comes out when it is read, whatever is settled."""
    acks = _load("target_pipelines.acknowledgements.acks").Acks
    acks.add_state = lambda self, state: self._write_state(state)


def _settle_before_dead_letter() -> None:
    """A dead letter is written when its STATE may have passed: here, when the run ends."""
    module = _load("target_pipelines.acknowledgements.dead_letters")
    write, waiting = module.DeadLetters.add, []
    module.DeadLetters.add = lambda self, letters: waiting.append((self, letters))
    _before_finish(lambda: [write(self, letters) for self, letters in waiting])


def _dead_letters_without_fsync() -> None:
    """Dead letters are written and left to the system."""
    module = _load("target_pipelines.acknowledgements.dead_letters")
    module.os = _Namespace(module.os, fsync=lambda _file: None)


def _any_lane() -> None:
    """Calls go to any lane, whomever they are about."""
    strangers = map(str, itertools.count())
    delivery, replace = (
        _load("target_pipelines.delivery.senders").Delivery,
        _load("msgspec").structs.replace,
    )
    put = delivery.put

    def put_anywhere(self: Any, calls: Any) -> None:
        put(self, [replace(call, person=next(strangers)) for call in calls])

    delivery.put = put_anywhere


def _any_worker() -> None:
    """Records go to any worker, whomever they are about."""
    strangers = map(str, itertools.count())
    people = _load("target_pipelines.run.worker_pool").People
    people.find = lambda _self, _record: next(strangers)
    people.find_all = lambda _self, lines: [next(strangers) for _ in lines]


def _ids_without_window() -> None:
    """The messageId no longer depends on `x-last-sync-time`."""
    _change_arguments("target_pipelines.encoding.encoder", "MessageIds", last_sync_time=0)


def _random_ids() -> None:
    """The messageId is another one at each run."""
    salt = os.urandom(8).hex()
    _change_arguments("target_pipelines.encoding.encoder", "MessageIds", salt=salt)


def _refuse_whole_batches() -> None:
    """A refused batch is not split: all of it becomes dead letters."""
    delivery = _load("target_pipelines.delivery.senders").Delivery
    policy = _load("target_pipelines.delivery.retry_policy")

    def refuse(self: Any, batch: Any, sender: Any) -> None:
        outcome, attempts = self._attempt(batch, sender)
        if isinstance(outcome, policy.Delivered):
            self._settlement.deliver(batch)
        for call in () if isinstance(outcome, policy.Delivered) else batch:
            self._reject(call, outcome, attempts)

    delivery._deliver = refuse


def _retries_count_as_delivered() -> None:
    """No second attempt is made: what failed is taken to have arrived."""
    _deliver_instead_of("Retry", lambda _answer: True)


def _login_pages_count_as_delivered() -> None:
    """A 200 counts, whatever its body is."""
    _deliver_instead_of("Stop", lambda status: status == 200)


def _follow_redirects() -> None:
    """Redirects are followed, as HTTP clients do unless they are told otherwise."""
    session = _load("requests").Session
    post = session.post

    def follow(self: Any, url: str, **arguments: Any) -> Any:
        return post(self, url, **{**arguments, "allow_redirects": True})

    session.post = follow


def _states_after_failed_syncs() -> None:
    """The tap moves the bookmark although reading broke off."""
    module = _load("tap_mssql_query.sync.run")
    copy = module.SyncRun._copy_rows

    def copy_some(self: Any, *arguments: Any) -> bool:
        with contextlib.suppress(module.ServerError):
            return bool(copy(self, *arguments))
        return True

    module.SyncRun._copy_rows = copy_some


def _first_worker_decides() -> None:
    """A STATE comes out when one worker has settled what came before it."""
    module = _load("target_pipelines.run.worker_pool")
    module.min = max


def _destinations_do_not_wait() -> None:
    """A STATE waits for the first destination alone."""
    module = _load("target_pipelines.run.build")
    acks_of = _load("target_pipelines.acknowledgements.acks").Acks
    route, made = module.Route, itertools.count()

    def new_route(settings: Any, destination: Any, acks: Any, **more: Any) -> Any:
        own = acks if next(made) == 0 else acks_of(lambda _state: None)
        return route(settings, destination, own, **more)

    module.Route = new_route


def _lose_calls() -> None:
    """The first call of each block is settled and counted nowhere, and nobody adds up."""
    delivery = _load("target_pipelines.delivery.senders").Delivery
    _load("target_pipelines.acknowledgements.report").RunReport.is_settled = True
    put = delivery.put

    def lose(self: Any, calls: Any) -> None:
        kept = list(calls)
        for call in kept[:1]:
            self._settlement._acks.settle(call.epoch)
        put(self, kept[1:])

    delivery.put = lose


def _cut_the_power() -> None:
    """Dead letters reach the disk with their fsync alone, as if the power failed in the end."""
    module = _load("target_pipelines.acknowledgements.dead_letters")
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

    module.os = _Namespace(os, write=write, fsync=fsync, close=close)


REMOVALS: Mapping[str, Callable[[], None]] = {
    POWER: _cut_the_power,
    "states wait for their rows": _print_states_at_once,
    "dead letters before states": _settle_before_dead_letter,
    "dead letters are on the disk": _dead_letters_without_fsync,
    "a person has one lane": _any_lane,
    "a person has one worker": _any_worker,
    "ids know the window": _ids_without_window,
    "ids are the same again": _random_ids,
    "refused batches are split": _refuse_whole_batches,
    "failures are retried": _retries_count_as_delivered,
    "login pages are no answers": _login_pages_count_as_delivered,
    "redirects are not followed": _follow_redirects,
    "failed syncs have no state": _states_after_failed_syncs,
    "states wait for all workers": _first_worker_decides,
    "states wait for all destinations": _destinations_do_not_wait,
    "calls are counted": _lose_calls,
}


def _load(name: str) -> Any:
    return importlib.import_module(name)


class _Namespace:
    """A module with some names replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _before_finish(act: Callable[[], object]) -> None:
    module = _load("target_pipelines.run.pipeline")
    finish = module.Pipeline.finish

    def finish_late(self: Any) -> None:
        finish(self)
        act()

    module.Pipeline.finish = finish_late


def _change_arguments(module_name: str, class_name: str, **changed: Any) -> None:
    module = _load(module_name)
    original = getattr(module, class_name)
    setattr(module, class_name, lambda **arguments: original(**{**arguments, **changed}))


def _deliver_instead_of(outcome_name: str, applies: Callable[[int], bool]) -> None:
    sender = _load("target_pipelines.destinations.http_sender").HttpSender
    policy = _load("target_pipelines.delivery.retry_policy")
    send = sender.send

    def send_and_believe(self: Any, calls: Any) -> Any:
        outcome = send(self, calls)
        is_taken = isinstance(outcome, getattr(policy, outcome_name)) and applies(
            200 if "HTTP 200" in outcome.reason else 0
        )
        return policy.Delivered() if is_taken else outcome

    sender.send = send_and_believe
