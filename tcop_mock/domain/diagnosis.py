"""Results of ``doctor``: diagnostics of the path from this machine to a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Severity(StrEnum):
    """Severity of a diagnostic."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing; callbacks arrive."""
    PROBLEM = "problem"
    """Callbacks do not arrive, are not accepted, or soon will not be."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Result of one check. Texts may contain data from the receiver; renderers must escape them."""

    topic: str
    severity: Severity
    observation: str
    meaning: str = ""
    fix: str = ""
    """What to do; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All diagnostics, in the order of the checks."""

    diagnostics: tuple[Diagnostic, ...]
    is_reachable: bool
    """Whether the receiver received the callback, whatever it answered."""

    def count(self, severity: Severity) -> int:
        """Return the number of diagnostics with this severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class ConnectionProbe:
    """Result of connecting to one address of a host."""

    address: str
    is_ipv6: bool
    duration_s: float
    error: str = ""
    """Why the connection failed; empty if it did not."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Fields of a receiver's certificate."""

    names: tuple[str, ...]
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """Result of a TLS handshake."""

    protocol: str = ""
    """Empty without a session."""
    certificate: Certificate | None = None
    error: str = ""
    """Why the certificate was rejected or the handshake failed; empty if neither."""
    verify_code: int = 0
    """OpenSSL's error number for the certificate."""
