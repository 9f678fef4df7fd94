"""--retry-rejected: sends again the calls that a destination rejected, a few times each.

A cause at the destination, such as a missing object, may be gone. Other dead letters stay as they
are: their cause is in the query or in the settings, or they are superseded. `retries` in a letter
counts its retries.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_pipelines.acknowledgements.dead_letter_calls import SUPERSEDED
from target_pipelines.acknowledgements.dead_letter_file import parse_letter
from target_pipelines.run.replay import Replay, replay_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.run.configuration import Configuration

_MAX_RETRY_SECONDS = 60.0
"""A destination that is down must not delay the run that follows for long."""


def find_retryable(configuration: Configuration) -> Sequence[TargetSettings]:
    """The destinations that have a dead letter to retry."""
    if not configuration.settings.retry_rejected:
        return []
    return [s for s in configuration.destinations if _has_retryable(s, configuration)]


def count_retryable(configuration: Configuration) -> int:
    """How many calls the next run sends again."""
    return sum(
        sum(1 for _ in _retryable_letters(settings, configuration))
        for settings in find_retryable(configuration)
    )


class Retry(Replay):
    """One retry of the dead letters of one destination."""

    def __init__(
        self,
        configuration: Configuration,
        destination: TargetSettings,
        *,
        check_interrupted: Callable[[], None] = lambda: None,
    ) -> None:
        alone = replace(
            destination,
            max_retry_seconds=min(destination.max_retry_seconds, _MAX_RETRY_SECONDS),
        )
        super().__init__(
            Path(destination.dead_letter_path),
            replay_settings(replace(configuration, destinations=[alone])),
            check_interrupted=check_interrupted,
        )
        self._destination = destination
        self._all = configuration

    def _is_wanted(self, letter: Mapping[str, Any]) -> bool:
        return _is_retryable(letter, self._destination, self._all)

    def _encode_failed_again(self, letter: Mapping[str, Any], before: Mapping[str, Any]) -> bytes:
        retries = before.get("retries", 0) + 1
        return super()._encode_failed_again({**letter, "retries": retries}, before)


def _is_retryable(
    letter: Mapping[str, Any], destination: TargetSettings, configuration: Configuration
) -> bool:
    """Whether the destination rejected the call, and it was not retried too often."""
    is_rejected = letter.get("kind", "destination") == "destination" and letter["attempts"] > 0
    is_own = configuration.is_letter_of(destination, letter)
    is_wanted = is_rejected and is_own and not letter.get(SUPERSEDED)
    return bool(is_wanted and letter.get("retries", 0) < configuration.settings.retry_rejected)


def _has_retryable(settings: TargetSettings, configuration: Configuration) -> bool:
    """Whether the file has a letter to retry; a damaged line is for --replay to report."""
    return any(True for _ in _retryable_letters(settings, configuration))


def _retryable_letters(
    settings: TargetSettings, configuration: Configuration
) -> Iterator[Mapping[str, Any]]:
    path = Path(settings.dead_letter_path)
    with contextlib.suppress(OSError):
        if not path.is_file():
            return
        with path.open("rb") as lines:
            for letter in map(parse_letter, lines):
                if letter is not None and _is_retryable(letter, settings, configuration):
                    yield letter
