"""Lets the target send again, before a run reads, the calls that its destinations rejected."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from program_kit.signals import is_signal_exit_code
from target_pipelines.run.retry import find_retryable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mssql_reverse_etl.programs.pipe import Pipe
    from target_pipelines.run.configuration import Configuration

logger = logging.getLogger(__name__)


def retry_rejected(
    pipe: Pipe, configuration: Configuration, targets: Sequence[str]
) -> Mapping[str, Any]:
    """Send rejected calls again; those that fail again are left for the next run.

    The target's report; empty if there is none. A failure is no failure of the run that follows: it
    meets the same destination.
    """
    names = [settings.destination_name for settings in find_retryable(configuration)]
    if not names:
        return {}
    logger.info("Sending again the calls that were rejected by %s.", ", ".join(names))
    code, report = pipe.send_again(targets, "--retry-rejected")
    if code and not is_signal_exit_code(code):
        logger.warning("The rejected calls stay dead letters: the target ended with %d.", code)
    return report
