"""An API that fails now and then, and keeps of each row only whether and as what it came.

Run as a program it serves until stdin closes, and prints its port: `ROWS SEED`, and `0` if all
answers are to be good.
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

from tests.reliability.numbered_rows import PEOPLE, person_of, traits_of
from tests.reliability.oracle import Verdict

FAILING = 0.05
"""The share of requests whose answer is a failure; of half of those the calls were taken."""


class Arrivals:
    """What has come of so many rows, in 17 bytes for each, whatever the calls hold.

    Attributes:
        failures: answers that were failures.
    """

    def __init__(self, rows: int) -> None:
        self.failures = 0
        self._rows = rows
        self._ids = array("q", bytes(8 * rows))
        self._has_come = bytearray(rows)
        self._newest = array("q", [-1]) * PEOPLE
        self._corrupt = self._spurious = self._disorder = self._repeats = self._other_ids = 0

    def add(self, call: dict[str, Any]) -> None:
        """A call that was taken."""
        traits = call.get("traits") or {}
        number, person = traits.get("number"), call.get("userId")
        if not isinstance(number, int) or not 0 <= number < self._rows:
            self._spurious += 1
            return
        if traits != traits_of(number) or person != person_of(number):
            self._corrupt += 1
            return
        own_id = hash(call.get("messageId"))
        if self._has_come[number]:
            self._repeats += 1
            self._other_ids += self._ids[number] != own_id
            return
        self._has_come[number] = 1
        self._ids[number] = own_id
        self._disorder += self._newest[int(person)] > number
        self._newest[int(person)] = max(number, self._newest[int(person)])

    def count_missing(self, first: int, end: int) -> int:
        """How many of these rows have not come."""
        return self._has_come.count(0, first, end)

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

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_POST(self) -> None:
        """Calls: most are taken and acknowledged; of the others some are taken all the same."""
        calls = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            fails = self.rng.random() < self.failing
            self.arrivals.failures += fails
            if not fails or self.rng.random() < 0.5:
                for call in calls.get("batch", [calls]):
                    self.arrivals.add(call)
        if fails and self.rng.random() < 0.3:
            self.close_connection = True  # no answer at all
        else:
            self._answer(503 if fails else 200, b"{}")

    def do_GET(self) -> None:
        """The verdict, and how many of the rows from `first` to before `end` are missing."""
        asked = parse_qs(urlsplit(self.path).query)
        with self.lock:
            missing = self.arrivals.count_missing(int(asked["first"][0]), int(asked["end"][0]))
            verdict, failures = asdict(self.arrivals.verdict()), self.arrivals.failures
        told = {"missing": missing, "failures": failures, "verdict": verdict}
        self._answer(200, json.dumps(told).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that were cut: their programs were killed."""


def main(rows: int, seed: int, fails: int = 1) -> None:
    """Serve until stdin closes; prints the port."""
    _Handler.arrivals, _Handler.rng = Arrivals(rows), random.Random(seed)
    _Handler.failing = FAILING if fails else 0.0
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
