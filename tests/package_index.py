"""Passes pip's package index on to uv, which does not read pip's settings."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

# Taken at import, before a fixture removes the proxies that reaching an index may need.
_ENVIRONMENT = dict(os.environ)
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
_COMMA_SEPARATED = {"UV_FIND_LINKS"}


def parse_pip_settings(listed: str) -> dict[str, str]:
    """Parse the output of `pip config list`; the environment takes precedence over files."""
    settings: dict[str, dict[str, str]] = {}
    for line in listed.splitlines():
        place, equals, value = line.partition("=")
        section, dot, name = place.rpartition(".")
        if equals and dot:
            settings.setdefault(section, {})[name] = str(ast.literal_eval(value))
    sections = ("global", "install", ":env:")
    return {key: value for name in sections for key, value in settings.get(name, {}).items()}


def translate_settings(pip_settings: dict[str, str]) -> dict[str, str]:
    """The same settings as environment variables of uv; like pip, it searches every index."""
    translated = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, value in pip_settings.items():
        if uv_name := _UV_NAMES.get(name):
            separator = "," if uv_name in _COMMA_SEPARATED else " "
            translated[uv_name] = separator.join(value.split())
    return translated


def uv_environment() -> dict[str, str]:
    """An environment in which uv finds what pip finds; uv's own variables take precedence."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=_ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {**translate_settings(parse_pip_settings(listed.stdout)), **_ENVIRONMENT}
