"""Ways to authenticate a request with the write key. Each is made once, then called per request.

A session with one of these looks for no other credentials, such as those in `.netrc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

Authenticate: TypeAlias = "Callable[[PreparedRequest], PreparedRequest]"
"""Adds headers to a request whose body is complete, and returns it."""


def basic(write_key: str) -> Authenticate:
    """HTTP Basic: the key is the user name, and there is no password."""
    from requests.auth import HTTPBasicAuth  # noqa: PLC0415 - slow, and only for sending

    return HTTPBasicAuth(write_key.encode(), b"")


def key_in_header(name: str, prefix: str = "") -> Callable[[str], Authenticate]:
    """The key in the header `name`, after a prefix such as `Bearer `."""

    def authenticate(write_key: str) -> Authenticate:
        value = f"{prefix}{write_key}".encode().decode("latin-1")  # UTF-8 on the wire

        def add_header(request: PreparedRequest) -> PreparedRequest:
            request.headers[name] = value
            return request

        return add_header

    return authenticate
