"""Certificates of one run: an authority, and a server certificate for each host that is asked for.

The extra ``run`` installs trustme, which makes them. Private keys stay in memory, except that Python loads them through
a temporary file that only its owner can read.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

TRUST_STORE_PASSWORD = "tcop-mock"  # noqa: S105 - the store holds public certificates; Java wants a password
_BUNDLE, _CERTIFICATE, _TRUST_STORE = "bundle.pem", "ca.pem", "ca.p12"


@dataclass(slots=True)
class CertificateAuthority:
    """Issues certificates that only clients with the files of :meth:`write_files` trust."""

    _authority: trustme.CA
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    @classmethod
    def create(cls) -> CertificateAuthority | None:
        """Return a new authority, or ``None`` where trustme is not installed."""
        try:
            import trustme  # noqa: PLC0415 - an extra
        except ImportError:
            return None
        return cls(trustme.CA(organization_name="tcop-mock, one test run"))

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return the TLS settings of a server that is called ``host``."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]

    def write_files(self, folder: Path) -> TrustFiles:
        """Write the public certificates into a folder."""
        own = self._authority.cert_pem.bytes()
        files = TrustFiles(folder / _CERTIFICATE, folder / _BUNDLE, folder / _TRUST_STORE)
        files.certificate.write_bytes(own)
        files.bundle.write_bytes(_system_certificates() + own)
        files.trust_store.write_bytes(_trust_store(own))
        return files


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """Files with the certificate of the authority."""

    certificate: Path
    bundle: Path
    """It and the certificates of the system, for clients that read one file only."""
    trust_store: Path
    """For Java."""


def _system_certificates() -> bytes:
    path = ssl.get_default_verify_paths().cafile
    try:
        return Path(path).read_bytes().rstrip(b"\n") + b"\n" if path else b""
    except OSError:
        return b""


def _trust_store(certificate: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12  # noqa: PLC0415 - an extra
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - an extra

    entry = pkcs12.PKCS12Certificate(load_pem_x509_certificate(certificate), b"tcop-mock")
    return pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(TRUST_STORE_PASSWORD.encode()))
