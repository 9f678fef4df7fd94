"""Which certificates of servers and proxies are trusted."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import certifi  # what requests trusts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_pipelines.api.settings import TargetSettings

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Environment variables that name the certificates to trust, the first that is set."""


def tls_context(settings: TargetSettings) -> ssl.SSLContext:
    """TLS that trusts the certificates of `ca_file`, else of the environment, else certifi's.

    Raises OSError if they cannot be read (`ssl.SSLError` is one).
    """
    return _open_context(_find_source(settings)[1])


def find_problems(settings: TargetSettings) -> Iterator[str]:
    """Why the certificates cannot be used, as a sentence."""
    source, path = _find_source(settings)
    if path == certifi.where() and Path(path).is_file():
        return  # it need not be read before something is sent
    try:
        _open_context(path)
        if Path(path).is_dir() and not any(Path(path).glob("*.[0-9]")):
            raise ssl.SSLError("the folder was not prepared with `openssl rehash`")
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            reason = "it holds no certificate in PEM format"
        else:
            reason = error.strerror or type(error).__name__
        yield (
            f"{source}: {path} cannot be used ({reason}). Set the path of a PEM file with the "
            "certificates of the authorities to trust."
        )


def _find_source(settings: TargetSettings) -> tuple[str, str]:
    """Who says which certificates to trust, and their path."""
    if settings.ca_file:
        return "Setting `ca_file`", settings.ca_file
    for variable in VARIABLES:
        if path := os.environ.get(variable):
            return f"Environment variable {variable}", path
    return "The package certifi", certifi.where()


@lru_cache(maxsize=8)  # reading certifi's takes 10 ms
def _open_context(path: str) -> ssl.SSLContext:
    is_folder = Path(path).is_dir()
    return ssl.create_default_context(
        cafile=None if is_folder else path, capath=path if is_folder else None
    )
