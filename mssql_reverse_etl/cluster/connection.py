"""Starts a local Dask cluster, or connects to an existing one."""

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
    """A client of the cluster at `address`, or of a local one that lasts as long as the block.

    Local workers get `secrets` in their environment; other workers must have them. Raises
    UsageError if Dask is not installed, ClusterFailed if the scheduler does not respond.
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
            cluster = stack.enter_context(_local_cluster(dask, workers or os.cpu_count() or 1))
            client = stack.enter_context(dask.Client(cluster))
        else:
            client = stack.enter_context(_connect(dask, address))
        has_dashboard = address is not None and importlib.util.find_spec("bokeh") is not None
        dashboard = client.dashboard_link if has_dashboard else "none"
        logger.info("cluster=%s dashboard=%s", client.scheduler.address, dashboard)
        yield client


def count_slots(client: Any, workers: int | None) -> int:
    """How many tasks run concurrently. Raises ClusterFailed if the cluster has no worker."""
    if workers:
        return workers
    try:
        client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise ClusterFailed(
            f"The cluster {client.scheduler.address} has no worker. Start one, then run it again."
        ) from error
    return sum(client.nthreads().values())


def _local_cluster(dask: Any, workers: int) -> Any:
    return dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,  # every user of this machine could open it
        # Whoever can connect to a scheduler can run code as its user. TLS with certificates made
        # for this run keeps other users of this machine out.
        security=True,
    )


def _connect(dask: Any, address: str) -> Any:
    try:
        return dask.Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ClusterFailed(
            f"The scheduler {address} does not respond ({type(error).__name__}). Check the address "
            "and that it is running."
        ) from error
