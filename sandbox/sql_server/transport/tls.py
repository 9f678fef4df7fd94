"""TLS inside TDS: a self-signed certificate, and a TLS layer in memory.

The handshake is sent in PRELOGIN packets ([MS-TDS] 2.2.6.5, 3.3.5.1), so ssl works on memory
buffers, not on the socket.
"""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

_LIFETIME = timedelta(days=30)
_CLOCK_SKEW = timedelta(days=1)
_LOOPBACK = ip_address("127.0.0.1")


def write_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for localhost and its key, as PEM files.

    Returns the certificate's path, for clients that verify it; the key is beside it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key)
    certificate_path = folder / "server.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path


def _sign(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    # The ODBC driver looks for an address among the DNS names.
    names = [x509.DNSName("localhost"), x509.DNSName("127.0.0.1"), x509.IPAddress(_LOOPBACK)]
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def server_context(certificate_path: Path) -> ssl.SSLContext:
    """TLS 1.2 only: 1.3 sends tickets after the handshake, for which TDS 7.4 has no packet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_path, certificate_path.with_suffix(".key"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["tds/8.0"])  # required by Encrypt=strict
    return context


class TlsLayer:
    """Encrypts and decrypts; one thread may encrypt while another decrypts."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._lock = threading.Lock()

    def handshake(self, received: bytes) -> tuple[bytes, bool]:
        """Process the client's bytes; returns the bytes to send, and whether it is complete."""
        self._incoming.write(received)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        return self._outgoing.read(), True

    def decrypt(self, received: bytes) -> bytes:
        """The decrypted bytes of the complete records so far."""
        parts = []
        with self._lock:
            self._incoming.write(received)
            try:
                while part := self._tls.read(1 << 16):
                    parts.append(part)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
        return b"".join(parts)

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt to TLS records."""
        with self._lock:
            self._tls.write(data)
            return self._outgoing.read()
