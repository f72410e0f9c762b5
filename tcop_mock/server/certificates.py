"""Certificates of one run: an authority, and a server certificate for each requested host.

The extra ``run`` installs trustme, which makes them. Private keys stay in memory, except that Python loads them through
a temporary file that only its owner can read.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

TRUST_STORE_PASSWORD = "tcop-mock"  # noqa: S105 - the store holds public certificates; Java wants a password
_OTHER_NAME = "host.invalid"
_BUNDLE, _CERTIFICATE, _TRUST_STORE = "bundle.pem", "ca.pem", "ca.p12"


@dataclass(slots=True)
class CertificateAuthority:
    """Issues certificates that only clients with the files of :meth:`write_files` trust."""

    _authority: trustme.CA | None = None
    """Created when it is first needed: the import takes half a second, and many apps make no calls."""
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    @classmethod
    def create(cls) -> CertificateAuthority | None:
        """Return a new authority, or ``None`` if trustme is not installed."""
        return None if find_spec("trustme") is None else cls()

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return the TLS settings of a server that is called ``host``.

        Raises:
            ValueError: the name is neither ASCII nor an internationalized domain name.
        """
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._issue(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]

    def _issue(self, host: str) -> trustme.LeafCert:
        try:
            return self._made().issue_cert(host)
        except ValueError:  # trustme wants a domain name of IDNA; hosts of containers have names such as alert_sink
            return _issue_as_written(self._made(), host)

    def _made(self) -> trustme.CA:
        import trustme  # noqa: PLC0415 - an extra

        if self._authority is None:
            self._authority = trustme.CA(organization_name="tcop-mock, one test run")
        return self._authority

    def write_files(self, folder: Path) -> TrustFiles:
        """Write the public certificates into a folder."""
        own = self._made().cert_pem.bytes()
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


def _issue_as_written(authority: trustme.CA, host: str) -> trustme.LeafCert:
    """Return a certificate for any ASCII name: one for another name, with the name replaced and signed again."""
    import trustme  # noqa: PLC0415 - an extra
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key  # noqa: PLC0415 - an extra

    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    other = authority.issue_cert(_OTHER_NAME)
    pattern = x509.load_pem_x509_certificate(other.cert_chain_pems[0].bytes())
    builder = x509.CertificateBuilder(
        pattern.issuer,
        pattern.subject,
        pattern.public_key(),
        x509.random_serial_number(),
        pattern.not_valid_before_utc,
        pattern.not_valid_after_utc,
    )
    for extension in pattern.extensions:
        is_name = isinstance(extension.value, x509.SubjectAlternativeName)
        builder = builder.add_extension(names if is_name else extension.value, extension.critical)
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)  # noqa: S101 - trustme's default kind of key
    signed = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return trustme.LeafCert(other.private_key_pem.bytes(), signed, [])


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
