"""Asks the network why a server cannot be reached: the drivers' texts do not say.

Used only when a login fails or takes long, so that an ordinary run opens no further connection.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import selectors
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tap_mssql_query.mssql.timeouts import call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOST_NAME = re.compile(r"\w[\w.-]*", re.ASCII)

UNKNOWN_HOST = "The host name is unknown. Check `host`, and the DNS of this machine."
_NO_DNS = (
    "The host name cannot be looked up: no DNS server answers. Check the network of this machine, "
    "and `host`."
)
REFUSED = (
    "The connection is refused: nothing listens on this port. Check `host` and `port`, that SQL "
    "Server is running, and that it accepts TCP/IP."
)
_NO_ROUTE = "The network has no route to the host. Check `host`, and the VPN or routing."
_FORBIDDEN = "This machine's own firewall forbids the connection. Allow it, or check `port`."
_RESET = "The connection is reset at once. Check `port`, and the firewall or proxy on the way."
_REASONS = {
    errno.ECONNREFUSED: REFUSED,
    errno.EHOSTUNREACH: _NO_ROUTE,
    errno.ENETUNREACH: _NO_ROUTE,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ECONNRESET: _RESET,
}


def find_obstacle(host: str, port: int, seconds: float) -> str | None:
    """Why no TCP connection can be opened, in plain words; None if one can, or if it is unknown."""
    name = _name_to_look_up(host)
    if name is None:
        return None
    try:
        addresses = call_with_timeout(
            lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM), seconds
        )
    except TimeoutError:
        return _NO_DNS
    except socket.gaierror as error:
        return _NO_DNS if error.errno == socket.EAI_AGAIN else UNKNOWN_HOST
    except UnicodeError:
        return UNKNOWN_HOST
    reason = _try_all(addresses, seconds)
    has_instance = "\\" in host
    return f"{reason} {INSTANCE_HINT}" if reason and has_instance else reason


INSTANCE_HINT = (
    "The instance name in `host` is not looked up: set `port` to the port of that instance."
)


def _name_to_look_up(host: str) -> str | None:
    """The name or address in the driver's `host`; None for a form that only the driver knows."""
    name = host.removeprefix("tcp:").split("\\", 1)[0]
    if _HOST_NAME.fullmatch(name):
        return name
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def _try_all(addresses: Sequence[Any], seconds: float) -> str | None:
    """Connect to all addresses at once; None if one accepts."""
    deadline = time.monotonic() + seconds
    codes: list[int] = []
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for family, kind, protocol, _, address in addresses:
            try:
                attempt = stack.enter_context(socket.socket(family, kind, protocol))
            except OSError as error:  # no IPv6 here
                codes.append(error.errno or 0)
                continue
            attempt.setblocking(False)
            code = attempt.connect_ex(address)
            if code == 0:
                return None
            if code == errno.EINPROGRESS:
                selector.register(attempt, selectors.EVENT_WRITE)
            else:
                codes.append(code)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                attempt = stack.enter_context(key.fileobj)  # type: ignore[arg-type]
                code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return None
                codes.append(code)
                selector.unregister(attempt)
        if selector.get_map():
            return (
                f"The host does not respond within {seconds:g} s. Check `host` and `port`, and "
                "whether a firewall drops the packets."
            )
    return next((_REASONS[code] for code in _REASONS if code in codes), None)
