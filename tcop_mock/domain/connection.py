"""How connections to a receiver are opened: authorities, a client certificate, addresses of host names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Options of curl by the same names; the defaults are those of the system."""

    cacert: str = ""
    """PEM file of the authorities that are trusted, in place of the system's."""
    cert: str = ""
    """PEM file of the client's certificate."""
    key: str = ""
    """PEM file of its private key; empty: it is in the file of the certificate."""
    addresses: tuple[tuple[str, int, str], ...] = ()
    """Host name, port, and the address to connect to."""

    def address_of(self, host: str, port: int) -> str:
        """Return what is resolved for a host: the given address, or the host itself."""
        return next(
            (address for name, its_port, address in self.addresses if (name, its_port) == (host.lower(), port)), host
        )


DEFAULTS = ConnectionOptions()
