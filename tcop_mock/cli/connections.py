"""Connections to the receiver: their options, as values and as flags of a reproduction command."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tcop_mock.domain.target import ConnectionOptions
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import ReachOptions
    from tcop_mock.contract.reproduce import Flag


def read_connection(reach: ReachOptions, *, opens_files: bool = True) -> ConnectionOptions:
    """Return the options of connections.

    Args:
        reach: the options of the command.
        opens_files: whether the files are read now, and not later by someone else.

    Raises:
        UsageError: a file cannot be used, or an address is invalid; names it and the reason.
    """
    if reach.key and not reach.cert:
        raise UsageError("--key: write --cert FILE, too; it is the key of that certificate")
    addresses = tuple(map(_parse_address, reach.resolve))
    options = ConnectionOptions(reach.cacert or "", reach.cert or "", reach.key or "", addresses)
    if opens_files and (options.cacert or options.cert):
        from tcop_mock.transport.connect import tls_context  # noqa: PLC0415 - it loads OpenSSL

        tls_context(insecure=False, options=options)
    return options


def _parse_address(text: str) -> tuple[str, int, str]:
    host, _, rest = text.partition(":")
    port, _, address = rest.partition(":")
    try:
        ip_address(address.strip("[]"))
    except ValueError:
        address = ""
    if not (host and address and port.isdecimal()):
        raise UsageError(f"--resolve {text!r}: write HOST:PORT:ADDRESS, as in alarms.example.com:443:127.0.0.1")
    return host.lower(), int(port), address.strip("[]")


def connection_flags(reach: ReachOptions) -> Iterator[Flag]:
    """Yield the flags of a reproduction command that say how to connect."""
    from tcop_mock.contract.reproduce import INSECURE, Flag  # noqa: PLC0415 - most commands reproduce nothing

    if reach.insecure:
        yield INSECURE
    for name in ("cacert", "cert", "key"):
        if file := getattr(reach, name):
            yield Flag(f"--{name}", file)
    for name, values in (("--resolve", reach.resolve), ("--header", reach.headers)):
        for value in values:
            yield Flag(name, value)
