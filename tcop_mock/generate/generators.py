"""Generators that an entry's ``[values]`` may name. Each knows how to draw a value and which texts it could draw."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import UnknownNameError
from tcop_mock.generate.entropy import HEX, LOWER_ALNUM, Entropy
from tcop_mock.generate.pools import names
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.model.shape import ValueSpec

_ANY_NAME = r"[^\x1f]{1,128}?"
_NO_HOST_BITS = 31
_UUID_EPOCH = 0x1EA_0000_0000_0000  # a version 1 timestamp of the year 2020, in 100 ns


class Drawer(NamedTuple):
    """A generator with its parameters bound."""

    draw: Callable[[Entropy, Lang], Any]
    pattern: str
    """Regular expression of all texts it could draw (a name stands for whatever a human would type)."""
    choices: tuple[Any, ...] = ()
    """All values there are, where they are counted."""
    is_text: bool = True
    """Whether its values are texts; the others are whole numbers."""


def drawer(spec: ValueSpec, where: str) -> Drawer:
    """Bind one value's generator.

    Raises:
        UnknownNameError: there is no such generator.
    """
    if spec.generator not in _GENERATORS:
        raise UnknownNameError("generator", spec.generator, _GENERATORS, where=where)
    return _GENERATORS[spec.generator](**spec.params)


def _ipv4(network: str) -> Drawer:
    net = ipaddress.IPv4Network(network)
    bounds = int(net.network_address), int(net.broadcast_address)
    lone = net.prefixlen >= _NO_HOST_BITS  # no addresses of the network and of broadcasts to spare (RFC 3021)
    first, last = bounds if lone else (bounds[0] + 1, bounds[1] - 1)
    fixed, rest = net.prefixlen // 8, 4 - net.prefixlen // 8
    head = [re.escape(part) for part in str(net.network_address).split(".")[:fixed]]
    return Drawer(
        lambda entropy, _lang: str(ipaddress.IPv4Address(entropy.between(first, last))),
        r"\.".join([*head, *[r"\d{1,3}"] * rest]),
    )


def _resource_id(prefix: str, length: int = 8) -> Drawer:
    return Drawer(
        lambda entropy, _lang: f"{prefix}-{entropy.text(LOWER_ALNUM, length)}",
        f"{re.escape(prefix)}-[0-9a-z]{{{length}}}",
    )


def _uuid(version: int) -> Drawer:
    def draw(entropy: Entropy, _lang: Lang) -> str:
        if version == 1:  # fields of RFC 9562, 5.1: time_low, time_mid, time_hi, clock_seq, node
            ticks = _UUID_EPOCH + entropy.below(1 << 52)
            low, mid, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
            return str(uuid.UUID(fields=(low, mid, high, 0, 0, entropy.below(1 << 48)), version=1))
        return str(uuid.UUID(int=entropy.below(1 << 64) << 64 | entropy.below(1 << 64), version=4))

    return Drawer(draw, rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}")


def _hex(length: int) -> Drawer:
    return Drawer(lambda entropy, _lang: entropy.text(HEX, length), f"[0-9a-f]{{{length}}}")


def _digits(length: int) -> Drawer:
    low, high = 10 ** (length - 1), 10**length - 1
    return Drawer(lambda entropy, _lang: str(entropy.between(low, high)), rf"[1-9]\d{{{length - 1}}}")


def _integer(low: int, high: int) -> Drawer:
    return Drawer(lambda entropy, _lang: entropy.between(low, high), r"-?\d{1,20}", is_text=False)


def _name(of: str) -> Drawer:
    names(of, Lang.EN)  # an unknown pool is told when the entry is read, not when it is drawn
    return Drawer(lambda entropy, lang: entropy.pick(names(of, lang)), _ANY_NAME)


def _pick(**params: Any) -> Drawer:  # noqa: ANN401 - `from` is a keyword of Python's
    choices = tuple(params["from"])
    return Drawer(lambda entropy, _lang: entropy.pick(choices), "", choices)


_GENERATORS: dict[str, Callable[..., Drawer]] = {
    "digits": _digits,
    "hex": _hex,
    "integer": _integer,
    "ipv4": _ipv4,
    "name": _name,
    "pick": _pick,
    "resource_id": _resource_id,
    "uuid": _uuid,
}
