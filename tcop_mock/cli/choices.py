"""Names that help lists, written by scripts/cli_docs.py from the registries, whose import is slow."""

PROFILES = ("2019-ack", "2021-verify", "2023", "2025", "template")
SCRIPT_FORMATS = ("curl", "http", "hurl", "k6", "postman", "pytest", "vegeta")
STUB_SERVICES = ("wecom", "dingtalk", "feishu", "slack", "telegram", "pagerduty", "discord", "teams", "json")
FAULTS = (
    "status",
    "delay",
    "delay-headers",
    "drip-headers",
    "drip-body",
    "endless-body",
    "reset",
    "reset-after-request",
    "empty",
    "garbage",
    "redirect",
    "401",
    "wrong-length",
)
FRAMEWORKS = ("fastapi", "starlette", "flask", "django", "aiohttp", "express", "spring", "go", "other")
FIX_FRAMEWORKS = ("flask", "fastapi", "django", "express", "spring", "go")
SCENARIOS = ("daily-repeats", "deploy-noise", "flapping", "zone-outage")
OBJECTIVES = (
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "max",
    "mean",
    "recovery",
    "errors",
    "acked",
    "late",
    "over5s",
    "dropped",
    "lost",
    "duplicates",
    "rate",
    "amplification",
)
EVENT_LOOPS = ("asyncio", "uvloop")
