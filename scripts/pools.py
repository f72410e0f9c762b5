"""Write ``payload_catalog/_pools/names.toml``: the names that humans and teams give to what alarms are about.

Colours and cities are drawn with Faker, the technical words are ours, so that no person and no real company's domain
can come out. Faker is needed here only, never at run time: what is drawn is data, shipped and compared.

``python scripts/pools.py`` writes the file; with ``--check`` it writes nothing and exits with 1 when the file differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from faker import Faker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pools: TypeAlias = "dict[str, dict[str, list[str]]]"

FILE = Path(__file__).parent.parent / "payload_catalog" / "_pools" / "names.toml"
SEED = 248_50409  # the documentation's number of the alarm callback page
SIZE = 128
_MAX_TRIES = 10_000

_HEAD = """\
# Names to draw from, by pool and language. Written by scripts/pools.py; change that and run `make pools`.
# A pool without `zh` holds technical names, which are the same in every account.
"""

_SERVICES = (
    "account", "billing", "cart", "catalog", "checkout", "coupon", "delivery", "gateway", "inventory", "invoice",
    "ledger", "login", "media", "message", "order", "payment", "profile", "recommend", "report", "risk", "search",
    "session", "settlement", "upload",
)  # fmt: skip  # a list of words, not a column
_SERVICES_ZH = (
    "支付", "订单", "结算", "库存", "物流", "会员", "搜索", "推荐", "登录", "消息", "风控", "报表", "账单", "营销",
    "客服", "直播",
)  # fmt: skip  # a list of words, not a column
_ROLES = ("api", "batch", "cache", "canary", "consumer", "job", "proxy", "server", "sync", "web", "worker")
_ROLES_ZH = ("网关", "前端", "后端", "缓存", "任务", "接入层", "中台", "灰度")
_STAGES = ("dev", "test", "staging", "pre", "prod", "dr")
_STAGES_ZH = ("开发", "测试", "预发", "生产", "容灾")
# A policy has many metrics, so its name tells none of them.
_PURPOSES = ("default", "basics", "critical", "on call", "night shift", "after release", "capacity")
_PURPOSES_ZH = ("默认策略", "基础告警", "核心告警", "值班告警", "夜间告警", "发布观察", "容量告警")
_STORES_ZH = ("主库", "业务库", "报表库", "归档库", "历史库")
_CLUSTER_NAMESPACES = ("default", "kube-system", "monitoring", "ingress-nginx")
_EVENT_WORDS = ("changed", "created", "deleted", "events", "failed", "log", "metrics", "retry")
_ACTIONS = ("archive", "convert", "export", "import", "insert", "notify", "resize", "sign", "sync", "transcode")
_BUCKET_CONTENTS = ("assets", "backup", "exports", "logs", "media", "static", "uploads")
_SIDECARS = ("app", "main", "nginx", "envoy", "istio-proxy", "filebeat", "jmx-exporter", "log-agent", "redis-exporter")
_CARRIERS = ("China Telecom", "China Mobile", "China Unicom")
_CARRIERS_ZH = ("电信", "移动", "联通")
_SITES = ("office", "warehouse", "datacenter", "store", "lab", "branch", "headquarters")
_SITES_ZH = ("办公室", "仓库", "机房", "门店", "分公司", "总部")
_HOSTS = ("www", "static", "img", "api", "download", "video", "m")
_ZONES = ("example.com", "example.net", "example.org")


class Names:
    """Draws one name after another, the same ones on every machine."""

    def __init__(self) -> None:
        self._en, self._zh = Faker("en_US"), Faker("zh_CN")
        self._en.seed_instance(SEED)
        self._zh.seed_instance(SEED)

    def _choose(self, words: Sequence[str]) -> str:
        return str(self._en.random_element(words))

    def _number(self) -> str:
        return f"{self._en.random_int(1, 24):02d}"

    def _colour(self) -> str:
        """Return a colour of one word, lower case: what teams call generations of things."""
        while True:
            name = str(self._en.color_name())
            if name[1:].islower():
                return name.lower()

    def _city(self) -> str:
        return str(self._zh.city_name())

    def instance(self) -> str:
        """Return what somebody calls a machine or a load balancer."""
        if self._en.pybool(truth_probability=30):
            return f"{self._colour().capitalize()} {self._choose(_SERVICES)} {self._choose(_ROLES)}"
        return f"{self._choose(_SERVICES)}-{self._choose(_ROLES)}-{self._colour()}-{self._number()}"

    def instance_zh(self) -> str:
        """Return what somebody calls a machine or a load balancer, in Chinese."""
        return f"{self._city()}-{self._choose(_SERVICES_ZH)}{self._choose(_ROLES_ZH)}-{self._number()}"

    def policy(self) -> str:
        """Return the name of an alarm policy."""
        return f"{self._choose(_STAGES)} {self._choose(_SERVICES)} {self._choose(_ROLES)}: {self._choose(_PURPOSES)}"

    def policy_zh(self) -> str:
        """Return the name of an alarm policy, in Chinese."""
        return f"{self._choose(_STAGES_ZH)}环境{self._pick(_SERVICES_ZH)}{self._pick(_ROLES_ZH)}-{self._pick(_PURPOSES_ZH)}"

    def network(self) -> str:
        """Return the name of a private network."""
        return f"vpc-{self._choose(_STAGES)}-{self._colour()}"

    def network_zh(self) -> str:
        """Return the name of a private network, in Chinese."""
        return f"{self._city()}{self._choose(_STAGES_ZH)}网"

    def database(self) -> str:
        """Return the name of a database instance; teams put spaces and underscores into them."""
        stage, service = self._choose(_STAGES), self._choose(_SERVICES)
        return (
            f"{stage} {service}_{self._choose(_ROLES)}" if self._en.pybool() else f"{service}_{self._colour()}_{stage}"
        )

    def database_zh(self) -> str:
        """Return the name of a database instance, in Chinese."""
        return f"{self._choose(_STAGES_ZH)}_{self._city()}{self._choose(_SERVICES_ZH)}_{self._choose(_STORES_ZH)}"

    def domain(self) -> str:
        """Return a domain below the ones that RFC 2606 reserves."""
        return f"{self._choose(_HOSTS)}.{self._colour()}-{self._choose(_SERVICES)}.{self._choose(_ZONES)}"

    def workload(self) -> str:
        """Return the name of a Kubernetes workload."""
        return f"{self._choose(_SERVICES)}-{self._choose(_ROLES)}"

    def namespace(self) -> str:
        """Return the name of a Kubernetes namespace."""
        return f"{self._choose(_SERVICES)}-{self._choose(_STAGES)}"

    def topic(self) -> str:
        """Return the name of a message topic."""
        return f"{self._choose(_SERVICES)}-{self._choose(_EVENT_WORDS)}"

    def consumer_group(self) -> str:
        """Return the name of a group of message consumers."""
        return f"{self._choose(_SERVICES)}-{self._choose(_ROLES)}-group{self._en.random_int(1, 30)}"

    def function(self) -> str:
        """Return the name of a cloud function."""
        return f"{self._choose(_ACTIONS)}-{self._choose(_SERVICES)}-{self._choose(_EVENT_WORDS)}"

    def bucket(self) -> str:
        """Return the name of a bucket, without the account's id that follows it."""
        return f"{self._choose(_SERVICES)}-{self._choose(_BUCKET_CONTENTS)}-{self._choose(_STAGES)}"

    def container(self) -> str:
        """Return the name of a container of a pod."""
        return f"{self._choose(_SERVICES)}-{self._choose(_SIDECARS)}"

    def gateway(self) -> str:
        """Return what somebody calls a gateway to other networks."""
        return f"{self._choose(_STAGES)} {self._choose(_SERVICES)} to {self._choose(_SITES)} {self._colour()}"

    def gateway_zh(self) -> str:
        """Return what somebody calls a gateway to other networks, in Chinese."""
        return f"{self._city()}{self._choose(_SITES_ZH)}接入{self._pick(_STAGES_ZH)}网"

    def tunnel(self) -> str:
        """Return what somebody calls a tunnel; teams tell the carrier in it."""
        backup = " backup" if self._en.pybool() else ""
        return (
            f"{self._choose(_SERVICES)}-to-{self._choose(_SITES)}-{self._number()}({self._choose(_CARRIERS)}{backup})"
        )

    def tunnel_zh(self) -> str:
        """Return what somebody calls a tunnel, in Chinese."""
        backup = "备份" if self._zh.pybool() else ""
        return f"{self._city()}{self._choose(_SITES_ZH)}-{self._number()}({self._choose(_CARRIERS_ZH)}{backup})"

    def detection(self) -> str:
        """Return what somebody calls a network detection."""
        return f"check {self._choose(_SERVICES)} {self._choose(_SITES)}-{self._number()}"

    def detection_zh(self) -> str:
        """Return what somebody calls a network detection, in Chinese."""
        return f"{self._city()}{self._choose(_SITES_ZH)}探测-{self._number()}"

    def function_namespace(self) -> str:
        """Return the name of a namespace of cloud functions."""
        return f"{self._choose(_SERVICES)}-{self._choose(_ROLES)}-core"


def build_pools() -> Pools:
    """Return all pools; each draws from a source of its own, so that a new pool changes no other."""
    return {
        "instance": {"en": fill(Names().instance), "zh": fill(Names().instance_zh)},
        "policy": {"en": fill(Names().policy), "zh": fill(Names().policy_zh)},
        "network": {
            "en": ["Default-VPC", *fill(Names().network)],
            "zh": ["基础网络", *fill(Names().network_zh)],  # the classic network, as the page of 2019 prints it
        },
        "database": {"en": fill(Names().database), "zh": fill(Names().database_zh)},
        "domain": {"en": fill(Names().domain)},
        "workload": {"en": fill(Names().workload)},
        "namespace": {"en": [*_CLUSTER_NAMESPACES, *fill(Names().namespace)]},
        "topic": {"en": fill(Names().topic)},
        "consumer_group": {"en": fill(Names().consumer_group)},
        "function": {"en": fill(Names().function)},
        "function_namespace": {"en": ["default", *fill(Names().function_namespace)]},
        "bucket": {"en": fill(Names().bucket)},
        "container": {"en": fill(Names().container)},
        "gateway": {"en": fill(Names().gateway), "zh": fill(Names().gateway_zh)},
        "tunnel": {"en": fill(Names().tunnel), "zh": fill(Names().tunnel_zh)},
        "detection": {"en": fill(Names().detection), "zh": fill(Names().detection_zh)},
    }


def fill(make_name: Callable[[], str]) -> list[str]:
    """Return ``SIZE`` different names in the order of the alphabet."""
    names: set[str] = set()
    for _ in range(_MAX_TRIES):
        names.add(make_name())
        if len(names) == SIZE:
            return sorted(names)
    raise RuntimeError(f"{make_name} has fewer than {SIZE} different names")


def render(pools: Pools) -> str:
    """Return the pools as TOML; a JSON text is a TOML text."""
    lines = [_HEAD]
    for pool, languages in pools.items():
        lines.append(f"[{pool}]")
        for language, names in languages.items():
            quoted = [f"  {json.dumps(name, ensure_ascii=False)}," for name in names]
            lines += [f"{language} = [", *quoted, "]"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: Sequence[str], file: Path = FILE) -> int:
    """Write the file, or with ``--check`` compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Draw the pools of names")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the file is stale")
    check_only = parser.parse_args(arguments).check
    generated = render(build_pools())
    on_disk = file.read_text(encoding="utf-8") if file.exists() else ""
    if check_only and on_disk != generated:
        print(f"{file} is not what scripts/pools.py draws: run `make pools`", file=sys.stderr)
        return 1
    if not check_only:
        file.write_text(generated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
