"""A Dask cluster: a local one, or one that is there."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import ClusterFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10


@contextlib.contextmanager
def open_cluster(
    address: str | None, workers: int | None, secrets: Mapping[str, str]
) -> Iterator[Any]:
    """A client of the cluster at an address, or of a local one that ends with the block.

    `secrets` are put into the environment of local workers; others have an environment of their
    own. Raises UsageError if Dask is not installed, ClusterFailed if nobody answers.
    """
    try:
        import distributed  # noqa: PLC0415 - the extra `dask`
    except ImportError as error:
        raise UsageError("--dask needs Dask: pip install 'mssql-reverse-etl[dask]'.") from error
    dask: Any = distributed  # it has no types
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        if address is None:
            os.environ.update(secrets)
            count = workers or os.cpu_count() or 1
            cluster = stack.enter_context(
                dask.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    # Who reaches a scheduler can run programs as its user: TLS keeps other users
                    # of this machine away, with certificates that are made for this run.
                    security=True,
                )
            )
            client = stack.enter_context(dask.Client(cluster))
        else:
            try:
                client = stack.enter_context(dask.Client(address, timeout=_CONNECT_SECONDS))
            except (OSError, ValueError) as error:
                raise ClusterFailed(
                    f"The scheduler {address} does not answer ({type(error).__name__})."
                ) from error
        has_dashboard = importlib.util.find_spec("bokeh") is not None
        logger.info(
            "cluster=%s dashboard=%s",
            client.scheduler.address,
            client.dashboard_link if has_dashboard else "none: bokeh is not installed",
        )
        yield client


def count_slots(client: Any, workers: int | None) -> int:
    """How many tasks run at once. Raises ClusterFailed if no worker comes in time."""
    if workers:
        return workers
    try:
        client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise ClusterFailed("The cluster has no worker.") from error
    return sum(client.nthreads().values())
