"""What is to be said of addresses, connections, TLS, port and proxies."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tcop_mock.model.examination import Grade, Remark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tcop_mock.model.examination import Certificate, Connected, TlsSeen
    from tcop_mock.model.target import Target

_PAGE = "alarm callback page, 2023-08-07"
_HTTP_PORT = 80
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_SOON_DAYS = 14
_MOST_NAMES = 10
_SELF_SIGNED, _NO_ISSUER, _OTHER_NAME, _EXPIRED = {18, 19}, {2, 20, 21}, {62, 64}, 10
"""OpenSSL's numbers, from its x509_vfy.h."""


def unresolved(problem: str) -> Remark:
    """Say that the name has no address."""
    return Remark("dns", Grade.PROBLEM, problem, "nobody finds the receiver", "mend the DNS record, or the name")


def resolved(host: str, found: Sequence[tuple[str, bool]], seconds: float) -> Remark:
    """Say which addresses a name has."""
    told = ", ".join(f"{address} ({'IPv6' if is_ipv6 else 'IPv4'})" for address, is_ipv6 in found)
    saw = f"{host} is {told}; looked up in {seconds:.3f} s"
    inside = [address for address, _ in found if not ip_address(address.partition("%")[0]).is_global]
    if inside:
        means = f"the URL must be accessible over the public network ({_PAGE}, directions, step 3); {inside[0]} is not"
        return Remark("dns", Grade.NOTE, saw, means, "right for a test; register a public address with TCOP")
    if all(is_ipv6 for _, is_ipv6 in found):
        means = "whether TCOP pushes over IPv6 no page says"
        return Remark("dns", Grade.NOTE, saw, means, "give the name an IPv4 address (A record), too")
    return Remark("dns", Grade.FINE, saw)


def connected(found: Sequence[Connected]) -> Remark:
    """Say how connecting to each address went."""
    told = [f"{one.address} {one.problem or f'in {one.seconds:.3f} s'}" for one in found]
    saw, dead = "; ".join(told), [one for one in found if one.problem]
    if len(dead) == len(found):
        return Remark("tcp", Grade.PROBLEM, saw, "no callback can be brought", "start the receiver, open its port")
    if dead:
        means = "a sender that takes this address loses its callback, or the time for it"
        return Remark("tcp", Grade.PROBLEM, saw, means, f"take {dead[0].address} out of DNS, or listen there")
    return Remark("tcp", Grade.FINE, saw)


def port(target: Target) -> Remark:
    """Say what the page says about ports."""
    advice = f"the page says that the port is fixed at 80 and the sender's IP random ({_PAGE}, note on the outbound IP)"
    if target.port == _HTTP_PORT:
        fix = "let port 80 in from anywhere in the security group, and ask for credentials: no address tells TCOP apart"
        return Remark("port", Grade.FINE, "80", advice, fix)
    means = f"{advice}, and prints URLs with a port of their own ({_PAGE}, directions, step 3)"
    fix = f"let port {target.port} in from anywhere; if real callbacks stay out, try port 80"
    return Remark("port", Grade.NOTE, str(target.port), means, fix)


def proxy(environ: Mapping[str, str]) -> Remark:
    """Say whether a proxy is configured, which nothing here uses."""
    names = [name for name in _PROXIES if environ.get(name)]
    if not names:
        return Remark("proxy", Grade.FINE, "no variable names one")
    means = "it is ignored: TCOP does not come through it. All that is told here is without it"
    fix = "if only the proxy leads out of this network, ask from another machine"
    return Remark("proxy", Grade.NOTE, f"{', '.join(names)} set", means, fix)


def tls(target: Target, seen: TlsSeen, now: datetime) -> Remark:
    """Say how a handshake went, and what the certificate says."""
    found = seen.certificate
    told = [seen.problem, seen.protocol, _told(found) if found else ""]
    saw = "; ".join(filter(None, told))
    if seen.problem:
        means = "no session: no page says that TCOP takes a certificate that does not verify, and tcop-mock does not"
        return Remark("tls", Grade.PROBLEM, saw, means, _cure(seen.code, found, target.host))
    days = (found.ends - now).days if found else 0
    if days < _SOON_DAYS:
        means = f"in {days} days no sender that verifies will connect"
        return Remark("tls", Grade.PROBLEM, saw, means, "renew it, and see why that is not done by itself")
    return Remark("tls", Grade.FINE, f"{saw}, in {days} days")


def _told(found: Certificate) -> str:
    more = f" and {len(found.names) - _MOST_NAMES} more" if len(found.names) > _MOST_NAMES else ""
    names = ", ".join(found.names[:_MOST_NAMES]) or "no name"
    return f"for {names}{more}; issued by {found.issuer or 'nobody'}; ends {found.ends:%Y-%m-%d %H:%M} UTC"


def _cure(code: int, found: Certificate | None, host: str) -> str:
    issuer = f"{found.issuer!r}" if found else "its issuer"
    if code == _EXPIRED:
        return "renew the certificate"
    if code in _SELF_SIGNED:
        return "get one from a public authority; --insecure looks further without verifying"
    if code in _NO_ISSUER:
        return (
            f"the certificate of {issuer} is missing: send it with your own (the full chain, leaf first); "
            "if that is an authority of your own, get one from a public authority"
        )
    if code in _OTHER_NAME:
        return f"get one that names {host}, or register a URL with a name that it has"
    return "see that the port speaks TLS 1.2 or 1.3, and does not ask for a client's certificate"
