"""Sends the same request of the usual size over and over: the sink's throughput."""

from __future__ import annotations

import sys

import requests

BATCH_BYTES = 475_000


def main(total_bytes: str, url: str) -> None:
    """Send at least `total_bytes`, one request after another."""
    session = requests.Session()
    body = b"x" * BATCH_BYTES
    for _ in range(-(-int(total_bytes) // BATCH_BYTES)):
        session.post(f"{url}/batch", data=body).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
