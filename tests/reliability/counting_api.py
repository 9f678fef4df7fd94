"""An API that fails at random, and keeps only a few bytes for each row that it received.

Run as a program with `ROWS SEED`, it prints its port and serves until stdin closes; with a third
argument `0` it never fails.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from array import array
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.reliability.numbered_rows import KEYS, traits_of, user_id_of
from tests.reliability.oracle import Verdict

_UNKNOWN = 0
FAILING = 0.05
"""The share of requests that fail; the calls of half of them are taken all the same."""


class Arrivals:
    """Which rows have arrived, in 17 bytes for each.

    Attributes:
        failures: the number of failed requests.
    """

    def __init__(self, rows: int) -> None:
        self.failures = 0
        self._rows = rows
        self._ids = array("q", [_UNKNOWN]) * rows
        self._has_arrived = bytearray(rows)
        self._newest = array("q", [-1]) * KEYS
        self._corrupt = self._spurious = self._disorder = self._repeats = self._other_ids = 0

    def add(self, call: dict[str, Any]) -> None:
        """Count a call that was taken."""
        traits = call.get("traits") or {}
        number, user_id = traits.get("number"), call.get("userId")
        if not isinstance(number, int) or not 0 <= number < self._rows:
            self._spurious += 1
            return
        if traits != traits_of(number) or user_id != user_id_of(number):
            self._corrupt += 1
            return
        own_id = hash(call.get("messageId"))
        if self._has_arrived[number]:
            self._repeats += 1
            self._other_ids += self._ids[number] not in (own_id, _UNKNOWN)
            self._ids[number] = own_id
            return
        self._has_arrived[number] = 1
        self._ids[number] = own_id
        self._disorder += self._newest[int(user_id)] > number
        self._newest[int(user_id)] = max(number, self._newest[int(user_id)])

    def forget_ids(self) -> None:
        """From now on rows may arrive again with other ids, and must keep those."""
        self._ids = array("q", [_UNKNOWN]) * self._rows

    def count_missing(self, first: int, end: int) -> int:
        """How many rows of a range have not arrived."""
        return self._has_arrived.count(0, first, end)

    def verdict(self) -> Verdict:
        """The verdict over everything so far."""
        return Verdict(
            missing=self.count_missing(0, self._rows),
            corrupt=self._corrupt,
            spurious=self._spurious,
            out_of_order=self._disorder,
            repeats_with_other_ids=self._other_ids,
            repeats=self._repeats,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    arrivals: ClassVar[Arrivals]
    rng: ClassVar[random.Random]
    failing: ClassVar[float]
    lock: ClassVar[threading.Lock] = threading.Lock()
    connections: ClassVar[_Server]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""

    def do_POST(self) -> None:
        """Take calls and acknowledge them, or fail at random."""
        calls = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            fails = self.rng.random() < self.failing
            self.arrivals.failures += fails
            if not fails or self.rng.random() < 0.5:
                for call in calls.get("batch", [calls]):
                    self.arrivals.add(call)
        if fails and self.rng.random() < 0.3:
            self.close_connection = True  # no response at all
        else:
            self._respond(503 if fails else 200, b"{}")

    def do_GET(self) -> None:
        """Respond with the verdict, and the number of missing rows from `first` to before `end`."""
        query = parse_qs(urlsplit(self.path).query)
        with self.lock:
            missing = self.arrivals.count_missing(int(query["first"][0]), int(query["end"][0]))
            verdict, failures = asdict(self.arrivals.verdict()), self.arrivals.failures
        content = {"missing": missing, "failures": failures, "verdict": verdict}
        self._respond(200, json.dumps(content).encode())

    def do_DELETE(self) -> None:
        """Forget the ids of the calls, once all other connections have ended."""
        self.connections.wait_for_end_of_others()
        with self.lock:
            self.arrivals.forget_ids()
        self._respond(200, b"{}")

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._open_connections = 0
        self._changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread."""
        self._count(1)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        super().shutdown_request(request)
        self._count(-1)

    def wait_for_end_of_others(self) -> None:
        """Wait until one connection is left: what killed programs have sent has been read."""
        with self._changed:
            self._changed.wait_for(lambda: self._open_connections == 1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._open_connections += change
            self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore connections that ended because their program was killed."""


def main(rows: int, seed: int, fails: int = 1) -> None:
    """Print the port and serve until stdin closes."""
    _Handler.arrivals, _Handler.rng = Arrivals(rows), random.Random(seed)
    _Handler.failing = FAILING if fails else 0.0
    with _Server() as server:
        _Handler.connections = server
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
