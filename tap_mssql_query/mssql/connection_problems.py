"""Plain words for the failures of a connection: what is wrong, and which setting mends it. Pure.

The texts are those of Microsoft's ODBC driver 18, of OpenSSL within it, and of FreeTDS; seen, or
from Microsoft's documentation.
"""

from __future__ import annotations

_NOT_TRUSTED = (
    "The server's certificate is not trusted: {}. Install the certificate's authority on this "
    "machine, or, if the network is trusted, set `trust_server_certificate` to true (and `encrypt` "
    "to yes: strict does not allow that)."
)
_OLD_TLS = (
    "The server and this machine have no TLS version or cipher in common; the server may be older "
    "than TLS 1.2. Update it, or set `encrypt` to no if the network is trusted."
)
_WRONG_NAME = (
    "The server's certificate is for another host name. Set `host` to the name in the certificate, "
    "or `connection_options.HostNameInCertificate` to that name."
)
_NO_ENCRYPTION = (
    "The server offers no encryption. Set `encrypt` to no if the network is trusted, or give the "
    "server a certificate."
)
_NEEDS_ENCRYPTION = "The server requires encryption. Set `encrypt` to yes."
_NOT_SQL_SERVER = (
    "What answers on this port is not SQL Server, or it needs another `encrypt` (TDS 8 needs "
    "strict). Check `host`, `port` and `encrypt`."
)
_CLOSED = (
    "The server closed the connection before the login. Check that `port` is SQL Server's and "
    "`encrypt` suits it; a server that is starting, is too busy, or allows only other addresses "
    "does the same."
)
_SILENT = (
    "The server accepts connections, but did not answer the login in time. Check that `port` is "
    "SQL Server's; if the server is only slow, raise `login_timeout_seconds`."
)
_NO_KERBEROS = (
    "This machine has no Kerberos ticket for Trusted_Connection. Get one with kinit, or set "
    "`username` and `password`."
)
_UNKNOWN_SERVICE = (
    "Kerberos does not know the server by this name. Set `host` to its full domain name, or "
    "`connection_options.ServerSPN`."
)
_NO_DRIVER = "The ODBC driver cannot be loaded. Check `odbc_driver`."

_PROBLEMS = (
    ("certificate has expired", _NOT_TRUSTED.format("it has expired")),
    ("certificate is not yet valid", _NOT_TRUSTED.format("it is not valid yet")),
    ("self-signed certificate", _NOT_TRUSTED.format("it is self-signed")),
    ("self signed certificate", _NOT_TRUSTED.format("it is self-signed")),
    ("unable to get local issuer", _NOT_TRUSTED.format("its authority is unknown here")),
    ("hostname mismatch", _WRONG_NAME),
    ("IP address mismatch", _WRONG_NAME),
    ("subject name does not match", _WRONG_NAME),
    ("target principal name is incorrect", _WRONG_NAME),
    (
        "Invalid file path for server certificate",
        "The file of `connection_options.ServerCertificate` cannot be read. Check its path.",
    ),
    ("certificate verify failed", _NOT_TRUSTED.format("it cannot be verified")),
    ("key too small", _OLD_TLS),
    ("md too weak", _OLD_TLS),
    ("unsupported protocol", _OLD_TLS),
    ("no protocols available", _OLD_TLS),
    ("protocol version", _OLD_TLS),
    ("handshake failure", _OLD_TLS),
    ("no shared cipher", _OLD_TLS),
    ("wrong version number", _NOT_SQL_SERVER),
    ("packet length too long", _NOT_SQL_SERVER),
    ("requires encryption", _NEEDS_ENCRYPTION),
    ("Encryption not supported on the client", _NEEDS_ENCRYPTION),
    ("Encryption not supported", _NO_ENCRYPTION),
    ("does not support encryption", _NO_ENCRYPTION),
    ("Protocol error in TDS stream", _NOT_SQL_SERVER),
    ("during handshakes before login", _CLOSED),
    ("Error code 0x2746", _CLOSED),
    ("Error code 0x68", _CLOSED),
    ("Error code 0x20", _CLOSED),
    ("Communication link failure", _CLOSED),
    ("unexpected eof", _CLOSED),
    ("Timeout error", _SILENT),
    ("Login timeout expired", _SILENT),
    ("went silent during the login", _SILENT),
    (
        "Error Locating Server/Instance",
        "The instance in `host` is not found. Leave its name out, and set `port` to its port.",
    ),
    ("Server not found in Kerberos database", _UNKNOWN_SERVICE),
    ("SSPI Provider", _NO_KERBEROS),
    (
        "attribute 'Authentication'",
        "The driver does not know this `authentication`. Check its spelling.",
    ),
    ("Can't open lib", _NO_DRIVER),
    ("Data source name not found", _NO_DRIVER),
)


def describe_connection_problem(text: str) -> str | None:
    """The sentence for a driver's text; None if it is not known."""
    return next((sentence for part, sentence in _PROBLEMS if part in text), None)
