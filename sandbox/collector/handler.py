"""HTTP handler of the collector: reads requests, validates them and responds."""

from __future__ import annotations

import hashlib
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import orjson

from sandbox.collector.behaviour import AS_USUAL, Behaviour, parse_behaviours
from sandbox.collector.call_log import Call, Request
from sandbox.collector.vendors import NOT_FOUND, PostRequest, Response

if TYPE_CHECKING:
    import threading

    from sandbox.collector.behaviour import Script
    from sandbox.collector.call_log import CallLog
    from sandbox.collector.vendors import Vendor

_MAX_BODY_BYTES = 64 * 1024 * 1024
_SECRETS = ("authorization", "x-write-key")
_TOO_LARGE = Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b'{"meta":{"errors":["too large"]}}')


class HandlerServer(ThreadingHTTPServer):
    """The part of the server that its handlers use."""

    log: CallLog
    script: Script
    vendor: Vendor
    write_key: str
    stopping: threading.Event


class Handler(BaseHTTPRequestHandler):
    """Serves the API, the log and the script."""

    server: HandlerServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    @property
    def _log(self) -> CallLog:
        return self.server.log

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Write nothing to stderr; `GET /requests` has more detail."""

    def do_GET(self) -> None:
        """`/calls` and `/requests`, as JSON arrays."""
        if self.path == "/calls":
            items = b",\n".join(_describe(call) for call in self._log.calls)
            self._send(HTTPStatus.OK, b"[" + items + b"]")
        elif self.path == "/requests":
            self._send(HTTPStatus.OK, orjson.dumps(self._log.requests))
        else:
            self._send(NOT_FOUND.status, NOT_FOUND.body)

    def do_DELETE(self) -> None:
        """`/calls`: clear the log."""
        if self.path != "/calls":
            self._send(NOT_FOUND.status, NOT_FOUND.body)
            return
        self._log.forget()
        self._send(HTTPStatus.OK, b"{}")

    def do_POST(self) -> None:
        """A request to the API, or `/script`."""
        length = int(self.headers.get("Content-Length") or _MAX_BODY_BYTES + 1)
        if length > _MAX_BODY_BYTES:
            self.close_connection = True
            if self._is_disconnected():  # possibly within the request's head
                return
            self._send(_TOO_LARGE.status, _TOO_LARGE.body)
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the client disconnected within the request
        elif self.path == "/script":
            self._replace_script(body)
        else:
            self._receive(body)

    def _is_disconnected(self) -> bool:
        """Whether the client has disconnected."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def _replace_script(self, body: bytes) -> None:
        try:
            behaviours = parse_behaviours(orjson.loads(body))
        except (TypeError, ValueError) as error:
            self._send(HTTPStatus.BAD_REQUEST, orjson.dumps({"message": str(error)}))
            return
        self.server.script.replace(behaviours)
        self._send(HTTPStatus.OK, b"{}")

    def _receive(self, body: bytes) -> None:
        arrived_at = time.time()
        number = self._log.next_request_number()
        post = PostRequest(self.path, self.headers, body, self.server.write_key, arrived_at)
        response = self.server.vendor.respond(post)
        behaviour = self.server.script.take(body)
        accepted = response.accepted if behaviour.commits else ()
        self._log.commit(
            accepted, endpoint=response.endpoint, request=number, arrived_at=arrived_at
        )
        self._log.add_request(
            Request(
                number=number,
                method=self.command,
                path=self.path,
                headers={k: v for k, v in self.headers.items() if k.lower() not in _SECRETS},
                status=None if behaviour.drop else behaviour.status or response.status,
                body_bytes=len(body),
                body_digest=hashlib.sha256(body).hexdigest(),
                encoding=self.headers.get("Content-Encoding", ""),
                calls=len(accepted),
                arrived_at=arrived_at,
            )
        )
        self._respond(response, behaviour)

    def _respond(self, response: Response, behaviour: Behaviour) -> None:
        if behaviour.delay_seconds:
            self.server.stopping.wait(behaviour.delay_seconds)
        if behaviour.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif behaviour is AS_USUAL:
            self._send(response.status, response.body)
        else:
            self._send_scripted(response, behaviour)

    def _send_scripted(self, response: Response, behaviour: Behaviour) -> None:
        body = behaviour.response_body()
        if behaviour.status is None and not body:
            body = response.body
        headers = {"Content-Type": "application/json", **behaviour.headers}
        if behaviour.gzip_bytes:
            headers["Content-Encoding"] = "gzip"
        self._send_head(behaviour.status or response.status, len(body), headers)
        if not behaviour.drip_seconds:
            self.wfile.write(body)
            return
        for position in range(len(body)):
            self.wfile.flush()
            if self.server.stopping.wait(behaviour.drip_seconds):
                return
            self.wfile.write(body[position : position + 1])

    def _send(self, status: int, body: bytes) -> None:
        self._send_head(status, len(body), {"Content-Type": "application/json"})
        self.wfile.write(body)

    def _send_head(self, status: int, body_bytes: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(body_bytes))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _describe(call: Call) -> bytes:
    """One entry of `GET /calls`, with the call's own bytes."""
    about = orjson.dumps(
        {
            "receipt": call.receipt,
            "request": call.request,
            "type": call.type,
            "messageId": call.message_id,
            "arrived_at": call.arrived_at,
        }
    )
    return about[:-1] + b',"call":' + call.raw + b"}"
