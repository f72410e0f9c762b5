"""The shipped pools: current, large enough, and free of real names."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.catalog.data_files import data_root

if TYPE_CHECKING:
    from types import ModuleType

POOLS = data_root("payload_catalog") / "_pools"
NAMES: dict[str, dict[str, list[str]]] = tomllib.loads((POOLS / "names.toml").read_text(encoding="utf-8"))
REGIONS: list[dict[str, Any]] = tomllib.loads((POOLS / "regions.toml").read_text(encoding="utf-8"))["region"]
SCRIPT = Path(__file__).parents[2] / "scripts" / "pools.py"
CHINESE = re.compile(r"[\u4e00-\u9fff]")

each_list = pytest.mark.parametrize(
    "language, names",
    [
        pytest.param(language, names, id=f"{pool}-{language}")
        for pool, lists in NAMES.items()
        for language, names in lists.items()
    ],
)


@pytest.fixture
def script() -> ModuleType:
    """Load the script that generates the names."""
    pytest.importorskip("faker", reason="the names are drawn with Faker")
    spec = importlib.util.spec_from_file_location("pools_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_names_are_those_of_the_script(script: ModuleType) -> None:
    """A change of only the script or only the file fails this test."""
    assert script.main(["--check"], Path(str(POOLS / "names.toml"))) == 0


def test_a_stale_file_is_reported_with_the_remedy(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` fails on a different file, does not change it and names the command that does."""
    stale = tmp_path / "names.toml"
    stale.write_text("# edited by hand\n", encoding="utf-8")

    assert script.main(["--check"], stale) == 1
    assert "run `make pools`" in capsys.readouterr().err
    assert stale.read_text(encoding="utf-8") == "# edited by hand\n"


def test_a_missing_file_is_stale_until_written(script: ModuleType, tmp_path: Path) -> None:
    """Without flags the script writes the file that it checks for."""
    file = tmp_path / "names.toml"

    assert script.main(["--check"], file) == 1
    assert script.main([], file) == 0
    assert script.main(["--check"], file) == 0


def test_a_pool_that_cannot_be_filled_is_an_error(script: ModuleType) -> None:
    """A too small vocabulary stops the script instead of an endless search."""
    with pytest.raises(RuntimeError, match="fewer than 128"):
        script.fill(lambda: "always the same")


@each_list
def test_a_pool_has_128_to_256_distinct_names(language: str, names: list[str]) -> None:
    """Consecutive alarms rarely share a name, and a byte can select one."""
    assert 128 <= len(set(names)) == len(names) <= 256, language


@each_list
def test_each_name_is_in_its_language(language: str, names: list[str]) -> None:
    """Chinese names contain Chinese characters, the others are plain ASCII."""
    for name in names:
        assert bool(CHINESE.search(name)) == (language == "zh"), name
        assert name.isascii() == (language == "en"), name


def test_every_pool_has_names_in_english() -> None:
    """A pool without Chinese names uses the English ones, never the other way round."""
    assert all("en" in lists for lists in NAMES.values())


def test_policies_have_names_in_both_languages() -> None:
    """Each alarm has a policy, so every entry uses this pool."""
    assert set(NAMES["policy"]) == {"en", "zh"}


def test_domains_are_reserved_ones() -> None:
    """No domain belongs to anyone (RFC 2606)."""
    assert all(re.fullmatch(r"[a-z0-9.-]+\.example\.(com|net|org)", name) for name in NAMES["domain"]["en"])


@pytest.mark.parametrize("pool", ["workload", "namespace", "container"])
def test_names_in_kubernetes_are_dns_labels(pool: str) -> None:
    """Kubernetes allows 63 lower-case alphanumerics and dashes (RFC 1123); a pod's name adds 17 to a workload's."""
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,44}[a-z0-9])?", name) for name in NAMES[pool]["en"])


def test_regions_have_short_codes_full_names_and_cities() -> None:
    """The 27 regions, 12 edge zones and 11 codes without a full name, each once: `gz` is the API's `ap-guangzhou`."""
    assert len({region["code"] for region in REGIONS}) == len({region["full"] for region in REGIONS}) == 50
    assert REGIONS[0] == {"code": "gz", "full": "ap-guangzhou", "city": "Guangzhou", "city_zh": "广州"}
    for region in REGIONS:
        assert re.fullmatch(r"[a-z]+", region["code"]), region
        assert re.fullmatch(r"[a-z]{2}-[a-z]+(-[a-z]+)?", region["full"]), region
        assert CHINESE.search(region["city_zh"]), region
        assert region["city"].isascii(), region


def test_regions_without_a_documented_name_are_assumed() -> None:
    """Some codes occur only in API responses; their meaning is our guess and marked as assumed."""
    assumed = {region["code"]: region["assumed"] for region in REGIONS if "assumed" in region}

    assert set(assumed) == {
        "osa", "sa", "zw", "zwadc", "shadc", "shhqcft", "shwxzf", "gzwxzf", "bjhldycft", "szjxcft", "qyxa",
    }  # fmt: skip  # a list of words, not a column
    assert all(keys == ["full", "city", "city_zh"] for keys in assumed.values())
