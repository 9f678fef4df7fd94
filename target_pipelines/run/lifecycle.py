"""The lifecycle of a run: start, then finish, drain or abandon."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from target_pipelines.api.errors import InputError
from target_pipelines.run.dispatch import MessageHandler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from target_pipelines.run.interruption import Interruption


class Run(MessageHandler, Protocol):
    """A message handler with a lifecycle: a `Pipeline`, or a `WorkerPool` of several."""

    def start(self) -> None:
        """Get ready for messages."""

    def drain(self) -> None:
        """Wait until every record is settled. Raises PipelinesError."""

    def finish(self) -> None:
        """The input has ended: settle everything and verify the counts. Raises PipelinesError."""

    def interrupt(self) -> None:
        """Start no new requests; called by another thread, and more than once."""

    def abandon(self) -> None:
        """End early: let requests in flight end, start no new ones."""


@contextlib.contextmanager
def running(
    run: Run,
    interruption: Interruption | None = None,
    progress: AbstractContextManager[None] | None = None,
) -> Iterator[None]:
    """Start a run; finish it at the end of the block, abandon it when the block fails.

    `progress` is entered once the run has forked its workers, and left when it has ended.

    A signal interrupts it at once. After invalid input it is drained: the records before are valid,
    and their STATE may be printed.
    """
    run.start()
    watched = interruption.watched(run.interrupt) if interruption else contextlib.nullcontext()
    with watched, progress or contextlib.nullcontext():
        try:
            yield
            run.finish()
        except InputError:
            run.drain()
            raise
        except BaseException:
            run.abandon()
            raise
