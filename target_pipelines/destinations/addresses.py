"""Checks the addresses of APIs and proxies before anything is sent to them. Pure."""

from __future__ import annotations

import importlib.util
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MAX_HOST_LENGTH = 253
_PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})


def describe_endpoint_problem(url: str) -> str | None:
    """What is wrong with the URL of an API, as the end of a sentence; None if nothing is."""
    problem = _describe_problem(url, {"http", "https"})
    if problem:
        return problem
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return "has a user name or password, which would not be sent; remove it"
    if "#" in url:
        return "has a fragment (`#…`), which would not be sent; remove it"
    return None


def describe_proxy_problem(url: str) -> str | None:
    """What is wrong with the environment's proxy for this URL; it may hold a password."""
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - slow

    try:
        proxy = select_proxy(url, get_environ_proxies(url))
    except ValueError:  # such as a port in `no_proxy` that is no number
        return "cannot be read"
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"  # as requests reads it
    if problem := _describe_problem(proxy, _PROXY_SCHEMES):
        return problem
    if proxy.lower().startswith("socks") and not importlib.util.find_spec("socks"):
        return "is for SOCKS, which needs the package PySocks; install it"
    return None


def _describe_problem(url: str, schemes: Collection[str]) -> str | None:
    if not url.isprintable() or any(character.isspace() for character in url) or "\\" in url:
        return "has a blank, a line break or a backslash in it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return "has no valid port" if "ort" in str(error) else "has no valid host"
    if parts.scheme.lower() not in schemes:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in sorted(schemes))}"
    if port == 0 or parts.netloc.endswith(":"):
        return "has no valid port"
    return None if _is_host(parts) else "has no valid host"


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    address = parts.netloc.rpartition("@")[2]
    if address.startswith("[") or ":" in host:
        return _is_ip(host) and ":" in host and address.startswith("[")
    try:
        host = host.rstrip(".").encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return False
    host = host.removesuffix(".")
    labels = host.split(".")
    if labels[-1].isdigit():  # a name's last label has a letter
        return _is_ip(host)
    return len(host) <= _MAX_HOST_LENGTH and all(map(_LABEL.fullmatch, labels))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
