"""The documented samples against the templates of their shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tcop_mock.callbacks.sample_check import sample_matches
from tcop_mock.catalog.loader import Catalog

if TYPE_CHECKING:
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
SAMPLED = [pytest.param(shape, id=shape.id) for shape in CATALOG if shape.sample]


@pytest.mark.parametrize("shape", SAMPLED)
def test_agrees_is_true_exactly_if_the_sample_matches(shape: Shape) -> None:
    """`agrees` is true exactly if the shape could generate the page's sample; otherwise errata say why not."""
    assert shape.sample is not None
    assert sample_matches(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder) is shape.sample.agrees
    assert bool(shape.sample.errata) or shape.sample.agrees


@pytest.mark.parametrize("shape", SAMPLED)
def test_a_missing_or_moved_key_is_detected(shape: Shape) -> None:
    """A missing dimension, an additional one and another order do not match."""
    assert shape.sample is not None
    items = list(shape.sample.dimensions.items())
    for wrong in (dict(items[1:]), dict(reversed(items)), dict(items) | {"surplus": "xxx"}):
        assert not sample_matches(shape, wrong, placeholder=True)


def test_an_id_that_is_not_the_same_twice_is_detected() -> None:
    """Two spellings of one value in one body do not match."""
    shape = CATALOG.get("cvm/storage-monitoring")
    good = {"diskid": "disk-1yukg09l", "objId": "disk-1yukg09l", "objName": "disk-1yukg09l(a/ins-i7d3ifpp)"}
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"objId": "disk-1yukg09m"})


def test_the_json_type_counts() -> None:
    """A port as string is not the public listener's, a port as number not the private one's."""
    shape = CATALOG.get("clb/public-listener")
    good = {
        "protocol": "https",
        "vip": "118.25.31.161",
        "vport": 443,
        "objId": "118.25.31.161#443#https",
        "objName": "web | Default-VPC | 118.25.31.161(https:443) | service:clb, product:monitor",
    }
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"vport": "443"})
    assert not sample_matches(shape, good | {"vport": 80})


def test_literals_other_than_text_are_compared() -> None:
    """A constant number in an entry matches only this number."""
    shape = replace(CATALOG.get("redis/legacy"), values={}, dimensions={"lane": 7, "region": "{region}"})
    assert sample_matches(shape, {"lane": 7, "region": "gz"})
    assert not sample_matches(shape, {"lane": 8, "region": "gz"})
    assert not sample_matches(shape, {"lane": "7", "region": "gz"})


def test_an_account_as_number_is_matched_as_number() -> None:
    """An integer account id matches only an integer in the format of an account."""
    shape = CATALOG.get("vpc/bandwidth-package")
    good = {
        "__region__": "gz",
        "appid": 1252068037,
        "netgroup": "bwp-43k0os16",
        "objId": "bwp-43k0os16",
        "objName": "bwp-43k0os16",
    }
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"appid": "1252068037"})
    assert not sample_matches(shape, good | {"__region__": "nowhere"})


def test_a_placeholder_matches_any_string() -> None:
    """An xxx of the page matches any string, but only if the sample declares placeholders."""
    shape = CATALOG.get("vpc/vpn-tunnel")
    reported = {"vpnconnid": "vpnx-lr6cpqp6", "objId": "5642", "objName": "to the office(vpnx-lr6cpqp6)"}
    hidden = reported | {"objId": "xxx"}
    assert sample_matches(shape, hidden, placeholder=True)
    assert not sample_matches(shape, hidden)


def test_a_placeholder_excuses_nothing_else() -> None:
    """Values next to placeholders must still match, and a placeholder only replaces strings."""
    tunnel, package = CATALOG.get("vpc/vpn-tunnel"), CATALOG.get("vpc/bandwidth-package")
    other = {"vpnconnid": "vpnx-lr6cpqp6", "objId": "xxx", "objName": "to the office(vpnx-00000000)"}
    assert not sample_matches(tunnel, other, placeholder=True)
    hidden = {"__region__": "xxx", "appid": 1252068037, "netgroup": "xxx", "objId": "xxx", "objName": "xxx"}
    assert sample_matches(package, hidden, placeholder=True)
    assert not sample_matches(package, hidden | {"appid": "xxx"}, placeholder=True)
    assert not sample_matches(package, hidden | {"objId": 1}, placeholder=True)


def test_a_placeholder_of_a_picked_value_is_one_of_its_type() -> None:
    """If a number is picked, a string placeholder does not match."""
    listener = CATALOG.get("clb/public-listener")
    hidden: dict[str, object] = dict.fromkeys(("protocol", "vip", "vport", "objId", "objName"), "xxx")
    assert not sample_matches(listener, hidden, placeholder=True)
    assert sample_matches(listener, hidden | {"vport": 443}, placeholder=True)
