"""Whether an API can be reached: its name, its port and its certificate. No request is made."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from program_kit.findings import Finding, Level
from target_pipelines.destinations.connection_errors import describe_certificate
from target_pipelines.destinations.trusted_certificates import tls_context

if TYPE_CHECKING:
    from target_pipelines.api.settings import TargetSettings

_PORTS = {"https": 443, "http": 80}
_SECONDS = 10.0


def check_reachable(url: str, settings: TargetSettings) -> Finding:
    """The finding about the API at a URL.

    Its level is SERVER_ERROR for what may be better later, ERROR for what the settings cause.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    where = f"{host}:{port}"
    if settings.trust_environment and select_proxy(url, get_environ_proxies(url)):
        return Finding(Level.OK, f"{where} is reached through a proxy, which was not tried.")
    try:
        with socket.create_connection((host, port), min(settings.timeout_seconds, _SECONDS)) as raw:
            if parts.scheme.lower() == "https":
                with tls_context(settings).wrap_socket(raw, server_hostname=host):
                    pass
    except socket.gaierror:
        message = f"The name {host} has no address. Correct `endpoint`, or the network's DNS."
        return Finding(Level.ERROR, message)
    except ssl.SSLCertVerificationError as error:
        return Finding(Level.ERROR, f"The certificate of {where} {describe_certificate(error)}.")
    except ssl.SSLError as error:
        return Finding(Level.ERROR, f"{where} does not speak TLS ({error.reason or 'no reason'}).")
    except OSError as error:
        reason = "timeout" if isinstance(error, TimeoutError) else error.strerror or "no answer"
        return Finding(Level.SERVER_ERROR, f"{where} cannot be reached: {reason}.")
    return Finding(Level.OK, f"{where} can be reached. The write key was not tried.")
