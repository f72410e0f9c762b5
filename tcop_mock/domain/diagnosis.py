"""What ``doctor`` finds about a way from here to a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Severity(StrEnum):
    """What a remark asks for."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing; callbacks arrive."""
    PROBLEM = "problem"
    """Callbacks do not arrive, are not taken, or will not be soon."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that was looked at. Texts may hold what a receiver sent: they are escaped where they are shown."""

    topic: str
    severity: Severity
    observation: str
    meaning: str = ""
    fix: str = ""
    """What to do; empty where nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found, in the order in which it was looked at."""

    diagnostics: tuple[Diagnostic, ...]
    is_reachable: bool
    """Whether a callback could be brought to the receiver, whatever it answered."""

    def count(self, severity: Severity) -> int:
        """Return how many remarks have a grade."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class ConnectionProbe:
    """One address of a host, and how connecting to it went."""

    address: str
    is_ipv6: bool
    duration_s: float
    error: str = ""
    """Why there is no connection."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a receiver's certificate says."""

    names: tuple[str, ...]
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """How a TLS handshake went."""

    protocol: str = ""
    """Empty where there is no session."""
    certificate: Certificate | None = None
    error: str = ""
    """Why the certificate is not taken, or no session came about."""
    verify_code: int = 0
    """OpenSSL's number of what is wrong with the certificate."""
