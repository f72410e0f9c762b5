"""Common traits of the failed cases of a clause, and the relevant values of a body."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import Attempt

_MIN_FAILED = 2
_MAX_VALUES = 4
_MAX_VALUE_CHARS = 120
_MIN_KEY_CHARS = 4
_MAX_TEXT_CHARS = 20_000
_ARBITRARY_KEYS = frozenset({"sessionId", "policyId", "policyName"})
"""Their values differ from callback to callback anyway."""
_STATE_KEYS = ("alarmStatus", "recoverTime", "durationTime")
_NOUNS = {"policy type": " of policy type ", "namespace": " in "}
_NAMED_TRAITS = frozenset({"policy type", "namespace"})
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def common_pattern(failed: Sequence[RequestCase], passed: Sequence[RequestCase]) -> str:
    """Return a sentence on what failed cases have in common and others do not; empty if there is nothing.

    Args:
        failed: the cases of one finding.
        passed: the other cases of its clause with a result.
    """
    failed_traits = [traits for traits in map(_traits, failed) if traits]
    passed_traits = [traits for traits in map(_traits, passed) if traits]
    if len(failed_traits) < _MIN_FAILED or not passed_traits:
        return ""
    trait = _distinguishing(failed_traits, passed_traits)
    if trait:
        key, value = trait
        cases_text = f"{_NOUNS.get(key, '')}{value}".strip()
        return _contrast(cases_text, len(failed_traits), len(passed_traits), is_state=key == "state")
    only = _only_sentence(failed_traits, passed_traits) if len(passed_traits) > 1 else ""
    return only or _key_sentence(failed_traits, passed_traits) or _majority_sentence(failed_traits, passed_traits)


def distinguishing_trait(failed: Sequence[RequestCase], passed: Sequence[RequestCase]) -> tuple[str, str] | None:
    """Return the trait, with its value, that all failed callbacks have and no other; ``None`` if there is none."""
    failed_traits = [traits for traits in map(_traits, failed) if traits]
    passed_traits = [traits for traits in map(_traits, passed) if traits]
    return _distinguishing(failed_traits, passed_traits) if failed_traits and passed_traits else None


def matching_values(case: RequestCase, attempt: Attempt, control: RequestCase | None = None) -> list[str]:
    """Return the relevant values of a body for a failure, as ``path: value``, bounded.

    They differ from those of the control, or their key stands in the answer; of a resolved alarm also its times.
    """
    tree = _tree(case)
    if not tree:
        return []
    values = dict(_leaves(tree))
    base = dict(_leaves(_tree(control))) if control else {}
    changed = [path for path in values if base and base.get(path, ...) != values[path] and _is_meaningful(path)]
    removed = [path for path in base if path not in values]
    text = f"{attempt.body[:_MAX_TEXT_CHARS].decode('utf-8', 'replace')} {attempt.detail} {attempt.traceback}"
    words = {word for word in _WORD.findall(text) if len(word) >= _MIN_KEY_CHARS}
    named = [path for path in values if path.rpartition(".")[2] in words]
    state = [key for key in _STATE_KEYS if key in values] if state_of(tree) is State.RESOLVED else []
    paths = list(dict.fromkeys([*changed, *named, *state]))[:_MAX_VALUES]
    lines = [f"{path}: {json.dumps(values[path], ensure_ascii=False)[:_MAX_VALUE_CHARS]}" for path in paths]
    return [*lines, *(f"{path} is not there" for path in removed[:_MAX_VALUES])]


def _distinguishing(failed: Sequence[dict[str, str]], passed: Sequence[dict[str, str]]) -> tuple[str, str] | None:
    for key in ("state", "type", "policy type", "namespace"):
        value = _common_value(failed, key)
        if value and all(traits.get(key) != value for traits in passed):
            return key, value
    return None


def _common_value(traits: Sequence[dict[str, str]], key: str) -> str:
    """Return the value that a trait has in all cases; empty if they differ or lack it."""
    values = {one.get(key, "") for one in traits}
    return values.pop() if len(values) == 1 else ""


def _majority_sentence(failed: Sequence[dict[str, str]], passed: Sequence[dict[str, str]]) -> str:
    """Return the state of all failed cases, if more cases in that state failed than passed, and others passed."""
    state = _common_value(failed, "state")
    same = sum(traits.get("state") == state for traits in passed)
    if not state or same == len(passed) or same >= len(failed):
        return ""
    return f"All are {state}; {same} more of these passed. "


def _contrast(cases_text: str, failed: int, others: int, *, is_state: bool) -> str:
    opposite = {"resolved": "firing", "firing": "resolved"}.get(cases_text, "other") if is_state else "other"
    return f"All {failed} {cases_text} failed, no {opposite} ({others} passed). "


def _key_sentence(failed: Sequence[dict[str, str]], passed: Sequence[dict[str, str]]) -> str:
    """Return which key all failed bodies have or lack, and no passed one."""
    failed_keys = [set(traits["keys"].split()) for traits in failed]
    passed_keys = [set(traits["keys"].split()) for traits in passed]
    lacking = set.intersection(*passed_keys).difference(*failed_keys)
    having = set.intersection(*failed_keys).difference(*passed_keys)
    if lacking:
        return f"All lack {_shortest(lacking)}, which every passed one has. "
    if having:
        return f"All have {_shortest(having)}, which no passed one has. "
    return ""


def _only_sentence(failed: Sequence[dict[str, str]], passed: Sequence[dict[str, str]]) -> str:
    """Return the trait that all passed callbacks have, and no failed one."""
    for key in ("state", "type", "policy type", "namespace"):
        value = _common_value(passed, key)
        if value and all(traits.get(key) != value for traits in failed):
            return f"Only {key if key in _NAMED_TRAITS else ''} {value} passed. ".replace("  ", " ")
    return ""


def _shortest(paths: set[str]) -> str:
    return min(paths, key=lambda path: (path.count("."), path))


def _traits(case: RequestCase) -> dict[str, str]:
    tree = _tree(case)
    if not tree:
        return {}
    policy, info = (
        value if isinstance(value, dict) else {} for value in (tree.get("alarmPolicyInfo"), tree.get("alarmObjInfo"))
    )
    traits = {
        "state": state_of(tree),
        "type": tree.get("alarmType") and f"{tree['alarmType']} alarms",
        "policy type": policy.get("policyType"),
        "namespace": info.get("namespace"),
        "keys": " ".join(path for path, _ in _leaves(tree)),
    }
    return {key: value for key, value in traits.items() if isinstance(value, str)}


def _tree(case: RequestCase | None) -> dict[str, Any]:
    try:
        tree = json.loads(case.request.body) if case else {}
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _is_meaningful(path: str) -> bool:
    return path.rpartition(".")[2] not in _ARBITRARY_KEYS
