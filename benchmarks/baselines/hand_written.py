"""A minimal loop as written by hand: no validation, no acknowledgements, no ordering."""

from __future__ import annotations

import sys
from hashlib import blake2b
from pathlib import Path

import orjson
import requests

BATCH_BYTES = 475_000


def main(path: str, url: str) -> None:
    """Send every record of a file of Singer lines as a track call."""
    session = requests.Session()
    session.auth = ("key", "")
    batch: list[bytes] = []
    size = 0
    with Path(path).open("rb") as lines:
        for line in lines:
            message = orjson.loads(line)
            if message["type"] != "RECORD":
                continue
            record = message["record"]
            call = {
                "type": "track",
                "userId": str(record.pop("userId")),
                "event": record.pop("event"),
                "messageId": blake2b(line, digest_size=16).hexdigest(),
                "properties": record,
            }
            body = orjson.dumps(call)
            if size + len(body) > BATCH_BYTES:
                _send(session, url, batch)
                batch, size = [], 0
            batch.append(body)
            size += len(body) + 1
    _send(session, url, batch)


def _send(session: requests.Session, url: str, batch: list[bytes]) -> None:
    body = b'{"batch":[' + b",".join(batch) + b"]}"
    session.post(f"{url}/batch", data=body).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
