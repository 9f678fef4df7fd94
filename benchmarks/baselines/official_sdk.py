"""Sends a file's records with customerio-cdp-analytics, as its documentation recommends.

Runs in a separate virtual environment, which has that package and nothing of this repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from customerio.analytics.client import Client


def main(path: str, url: str, count: str) -> None:
    """Send the first `count` records as track calls; raises the first delivery error."""
    failures: list[Exception] = []
    client = Client("key", host=url, on_error=lambda error, _: failures.append(error))
    sent = 0
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD" and sent < int(count):
                _track(client, message["record"])
                sent += 1
    client.flush()
    if failures:
        raise failures[0]


def _track(client: Client, record: dict[str, object]) -> None:
    user, event = str(record.pop("userId")), record.pop("event")
    # A full queue drops the call and returns False.
    while not client.track(user, event, record)[0]:
        client.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
