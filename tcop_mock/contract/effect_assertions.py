"""Assertions about effect scenarios: check the effects of a few alarms for a clause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tcop_mock.contract.assertions import NO_FIRST_EFFECT, describe_response, matches_status
from tcop_mock.contract.builders_effects import unique_tokens_of_body
from tcop_mock.contract.message_assertions import MESSAGE_ASSERTIONS
from tcop_mock.contract.refusals import refusal_text
from tcop_mock.domain.contract import Inconclusive, SendMode
from tcop_mock.domain.delivery import RETRY_LATER_STATUSES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.contract import EffectScenario, EffectScenarioResult, RequestCase, Step, StepResult
    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.effects import Effect, EffectSnapshot

_CLOSING_EXPECTATIONS = frozenset({"=0", "less"})

_PAGERDUTY_PLACES = frozenset({"/pagerduty"})

_NOT_OPENED = "its first push has an effect, and leaves no open incident"

NOT_CLOSED = "its resolve does not close its incident (TCM505)"


def effects_match(
    result: EffectScenarioResult, *, fail_if_no_effect: bool = False, fail_if_not_closed: bool = False
) -> str | Inconclusive | None:
    """Assert that effects and open incidents match each step.

    Args:
        result: the scenario's result.
        fail_if_no_effect: fail, rather than be inconclusive, if the first push has no effect.
        fail_if_not_closed: fail, rather than be inconclusive, if a resolve closes nothing, or an alarm that has an
            effect is not open before its resolve.
    """
    for number, step_result in enumerate(result.step_results):
        is_open_known = step_result.after.open_incidents is not None
        for noun, expected, before, after in (
            ("effect", step_result.step.expected_effects, step_result.before.count, step_result.after.count),
            (
                "open incident",
                step_result.step.expected_open if is_open_known else "",
                step_result.before.open_count,
                step_result.after.open_count,
            ),
        ):
            if not count_matches(expected, before, after):
                if number == 0 and step_result.after.count and noun != "effect" and after == 0:
                    return _NOT_OPENED if fail_if_not_closed else Inconclusive(_NOT_OPENED)
                if number == 0 and after == 0 and not fail_if_no_effect:
                    return Inconclusive(NO_FIRST_EFFECT)
                if (
                    noun != "effect"
                    and expected in _CLOSING_EXPECTATIONS
                    and after >= before > 0
                    and not (fail_if_not_closed or _has_closed(result.step_results[:number]))
                ):
                    return Inconclusive(NOT_CLOSED)
                return _describe_mismatch(step_result, noun, expected, before, after) + _rejection(step_result)
    return None


def _has_closed(step_results: Sequence[StepResult]) -> bool:
    """Return whether the receiver has closed an incident in one of these steps."""
    return any(step_result.after.open_count < step_result.before.open_count for step_result in step_results)


def count_matches(expected: str, before: int, after: int) -> bool:
    """Return whether a count meets an expectation: ``=1``, ``>=1``, ``more``, ``less``, ``same``; other ones: any."""
    if expected.endswith("?"):
        return True
    if expected.startswith((">=", "=")):
        number = int(expected.lstrip(">="))
        return after >= number if expected.startswith(">") else after == number
    return {"": True, "more": after > before, "less": after < before, "same": after == before}[expected]


def has_expected_effects(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    """Return whether the effects meet the expectation of a step."""
    if step.expected_effects == "mentioned":
        return any(effect.mentions(step.tokens) for effect in after.effects)
    return count_matches(step.expected_effects, before.count, after.count)


def status_in(result: EffectScenarioResult, *, allow: Sequence[str] = ("2xx",)) -> str | Inconclusive | None:
    """Assert that each push got one of these statuses."""
    for step_result in result.step_results:
        for attempt in step_result.attempts:
            is_late = attempt.outcome is Outcome.TIMED_OUT and attempt.status is None
            if is_late or attempt.status in RETRY_LATER_STATUSES:
                return Inconclusive(
                    f"{step_result.step.title}: {describe_response(attempt)} ({'TCM102' if is_late else 'TCM515'})"
                )
            if not matches_status(attempt.status, allow):
                return f"{step_result.step.title}: {describe_response(attempt)}"
    return None


def retries_accepted(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that pushes after the first step are not rejected; 409 for a known push passes."""
    retries = result._replace(step_results=result.step_results[1:])
    return status_in(retries, allow=("2xx", "409"))


def answered_in_time(result: EffectScenarioResult) -> str | None:
    """Assert that each push got a response within the deadline, whatever its status."""
    for step_result in result.step_results:
        if any(attempt.outcome is Outcome.TIMED_OUT for attempt in step_result.attempts):
            return f"{step_result.step.title}: no answer inside the deadline"
    return None


def not_acked_if_lost(result: EffectScenarioResult) -> str | None:
    """Assert that an alarm that could not be forwarded was not acknowledged, or was forwarded later."""
    first_step = result.step_results[0]
    if any(attempt.accepted for attempt in first_step.attempts) and not result.step_results[-1].after.count:
        return f"{first_step.step.title}: answered {first_step.attempts[0].status}, and never forwarded afterwards"
    return None


def retry_forwarded(result: EffectScenarioResult) -> str | None:
    """Assert that a push which was not acknowledged is forwarded when it comes again and is acknowledged then."""
    first, *later = result.step_results
    if any(attempt.accepted for attempt in first.attempts):
        return None
    for step_result in later:
        if any(attempt.accepted for attempt in step_result.attempts) and not step_result.after.count:
            answers = f"first {describe_response(first.attempts[0])}, then {step_result.attempts[0].status}"
            return f"{step_result.step.title}: {answers}, and never forwarded"
    return None


def forwards_despite_fault(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that messages of other alarms are forwarded during a fault, and that of the first one after it."""
    first, *later = result.step_results
    if not first.is_fault_met:
        return Inconclusive("no message about the first alarm came to --downstream", not_applicable=True)
    is_first_accepted = any(attempt.accepted for attempt in first.attempts)
    for step_result in later:
        if not step_result.attempts and not is_first_accepted:
            return None  # TCOP pushes it again
        if has_expected_effects(step_result.step, step_result.before, step_result.after):
            continue
        if any(attempt.status in RETRY_LATER_STATUSES for attempt in step_result.attempts):
            return Inconclusive(f"{step_result.step.title}: {describe_response(step_result.attempts[0])}")
        limit = f"within {step_result.step.wait_s:g} s"
        if step_result.is_cut_short:
            return Inconclusive(f"{step_result.step.title}: --max-time ends before {limit[7:]}")
        return f"{step_result.step.title}: not forwarded {limit}"
    return None


def nothing_opened(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that requests which are rejected, or which name no alarm, open no incident and send no message."""
    [step_result] = result.step_results
    inconclusive = _not_rejected(result)
    if inconclusive:
        return inconclusive
    opened, messages = _new_incidents_and_messages(step_result)
    if not (opened or messages):
        return None
    response = describe_response(step_result.attempts[-1])
    seen = " and ".join(
        _format_count(count, noun) for count, noun in ((opened, "incident"), (messages, "message")) if count
    )
    return f"{response}, and {seen} about it"


def nothing_written(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that rejected requests have no effects other than incidents and messages either."""
    [step_result] = result.step_results
    inconclusive = _not_rejected(result)
    if inconclusive:
        return inconclusive
    if any(_new_incidents_and_messages(step_result)):
        return Inconclusive("what is rejected opens incidents or sends messages (TCM527)", not_applicable=True)
    count = step_result.after.count - step_result.before.count
    response = describe_response(step_result.attempts[-1])
    return f"{response}, and {_format_count(count, 'effect')} of it" if count > 0 else None


def _not_rejected(result: EffectScenarioResult) -> Inconclusive | None:
    """Return why an answer does not count as a rejection; requests that name no alarm need none."""
    if result.scenario.names_no_alarm:
        return None
    [step_result] = result.step_results
    attempt = step_result.attempts[-1]
    if attempt.accepted or attempt.status is None:
        answer = f"{step_result.step.title}: {describe_response(attempt)}"
        return Inconclusive(f"{answer}; a clause about credentials or bodies reports it")
    return None


def _new_incidents_and_messages(step_result: StepResult) -> tuple[int, int]:
    """Return how many incidents were opened and how many messages were sent in a step."""
    before, after = step_result.before, step_result.after
    messages = sum(effect.location.startswith("/") for effect in after.effects)
    known_messages = sum(effect.location.startswith("/") for effect in before.effects)
    opened = len(after.open_incidents or ()) - len(before.open_incidents or ())
    return max(opened, 0), max(messages - known_messages, 0)


def downstream_accepts(result: EffectScenarioResult, *, service: str) -> str | Inconclusive | None:
    """Assert that a downstream service accepted all requests of the receiver."""
    refused = [
        effect
        for step_result in result.step_results
        for effect in step_result.after.rejected
        if effect.location == f"/{service}"
    ]
    if refused:
        return refusal_text(service, refused[0].dedup_key)
    is_accepted = any(effect.location == f"/{service}" for effect in result.step_results[-1].after.effects)
    return None if is_accepted else Inconclusive(NO_FIRST_EFFECT)


def acked_implies_effect(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each acknowledged alarm has an effect."""
    [step_result] = result.step_results
    pairs = zip(step_result.step.cases, step_result.attempts, strict=True)
    acked_tokens = [unique_tokens_of_body(case.request.body) for case, attempt in pairs if attempt.accepted]
    if not acked_tokens:
        return Inconclusive("no push was accepted (TCM515)")
    unseen = [
        tokens for tokens in acked_tokens if not any(effect.mentions(tokens) for effect in step_result.after.effects)
    ]
    return f"{len(unseen)} of {len(acked_tokens)} acknowledged alarms have no effect" if unseen else None


def texts_unmixed(result: EffectScenarioResult) -> str | None:
    """Assert that no effect shows the object of one alarm with the policy of another one.

    An effect about several alarms, as a summary is, shows both of each.
    """
    step_result = result.step_results[-1]
    names = [(_own_dimensions(case.request.body), _own_policy(case.request.body)) for case in step_result.step.cases]
    mixed = 0
    for effect in step_result.after.effects:
        about = [(effect.mentions(objects), effect.mentions(policies)) for objects, policies in names]
        mixed += (True, False) in about and (False, True) in about and (True, True) not in about
    return f"{_format_count(mixed, 'effect')} with the object of one alarm and the policy of another" if mixed else None


def _own_dimensions(body: bytes) -> frozenset[str]:
    return unique_tokens_of_body(body) - _own_policy(body)


def _own_policy(body: bytes) -> frozenset[str]:
    tree = json.loads(body)
    return frozenset({tree["sessionId"], *(tree["alarmPolicyInfo"][key] for key in ("policyId", "policyName"))})


def acked_resolves_close(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each acknowledged resolve of the last step closes the incident of its alarm."""
    step_result = result.step_results[-1]
    before, after = (snapshot.open_incidents or () for snapshot in (step_result.before, step_result.after))
    pairs = zip(step_result.step.cases, step_result.attempts, strict=True)
    acked = [unique_tokens_of_body(case.request.body) for case, attempt in pairs if attempt.accepted]
    was_open = [tokens for tokens in acked if any(incident.mentions(tokens) for incident in before)]
    if not was_open or len(result.step_results) < len(result.scenario.steps):
        return Inconclusive(NO_FIRST_EFFECT)
    still_open = [tokens for tokens in was_open if any(incident.mentions(tokens) for incident in after)]
    if len(still_open) == len(was_open):
        return Inconclusive(NOT_CLOSED)
    return f"{len(still_open)} of {len(was_open)} acknowledged resolves close nothing" if still_open else None


def acked_survives(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each alarm that was acknowledged in the second step has an effect after the receiver has ended.

    The first step is an alarm before that, a third one is an alarm after it.
    """
    if len(result.step_results) == 1:
        return Inconclusive(NO_FIRST_EFFECT)
    first, last, *later = result.step_results
    if not any(attempt.accepted for attempt in last.attempts) and last.step.send_mode is SendMode.THEN_KILLED:
        return Inconclusive(f"{last.step.title}: {describe_response(last.attempts[0])}")
    lossy = [one for one in (last, *later) if acked_without_effect(result.scenario, one.step, one.attempts, one.after)]
    if not lossy:
        return None
    last = lossy[0]
    if last.is_cut_short:
        return Inconclusive(f"{last.step.title}: --max-time ends before {last.step.wait_s:g} s")
    if last in later:
        return f"{last.step.title}: acknowledged, and without effect"
    is_first_kept = any(effect.mentions(first.step.tokens) for effect in last.after.effects)
    addition = "" if is_first_kept else ", as is the alarm before it: all is kept in memory"
    return f"acknowledged, and without effect after the restart{addition}"


def acked_without_effect(
    scenario: EffectScenario, step: Step, attempts: Sequence[Attempt], after: EffectSnapshot
) -> list[RequestCase]:
    """Return the requests of a step that were acknowledged and have no effect; each is of an alarm of its own."""
    texts = [case.request.body.decode() for case in step.cases]
    lost = []
    for case, text, attempt in zip(step.cases, texts, attempts, strict=True):
        names = {name for name in scenario.unique_tokens if name in text and sum(name in other for other in texts) == 1}
        tokens = unique_tokens_of_body(case.request.body) | names
        if attempt.accepted and not any(effect.mentions(tokens) for effect in after.effects):
            lost.append(case)
    return lost


def dedup_key_stable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that all events of the first alarm share a ``dedup_key``, and those of the last step have another."""
    effects_by_step = [step_result.new_effects for step_result in result.step_results]
    keys_by_step = list(map(_dedup_keys, effects_by_step))
    if not any(effect.location in _PAGERDUTY_PLACES for effect in effects_by_step[0]):
        return Inconclusive("no event was sent for the trigger (TCM601)")
    if not keys_by_step[0]:
        return "the trigger has no dedup_key, so that nothing can close it"
    other_alarm_keys: set[str] = set()
    if len(result.step_results) == len(result.scenario.steps):
        other_alarm_keys = keys_by_step.pop()
    first_alarm_keys = set().union(*keys_by_step)
    if len(first_alarm_keys) > 1:
        return "trigger, repeat and resolve have different dedup_keys"
    if other_alarm_keys and other_alarm_keys <= first_alarm_keys:  # late events of the first alarm may follow
        return "another instance has the same dedup_key"
    return None


def _dedup_keys(effects: Sequence[Effect]) -> set[str]:
    return {
        effect.dedup_key.partition(" ")[2]
        for effect in effects
        if effect.location in _PAGERDUTY_PLACES and effect.dedup_key
    }


def _describe_mismatch(step_result: StepResult, noun: str, expected: str, before: int, after: int) -> str:
    if expected.startswith((">=", "=")):
        number = expected.lstrip(">=")
        phrase = f"{'at least ' if expected.startswith('>') else ''}{number}"
        return f"{step_result.step.title}: {_format_count(after, noun)} in place of {phrase}"
    relation = {"more": "no more", "less": "no fewer", "same": f"{'more' if after > before else 'fewer'}"}[expected]
    return f"{step_result.step.title}: {_format_count(after, noun)}, {relation} than the {before} before it"


def _rejection(step_result: StepResult) -> str:
    """Return what a service said when it rejected a message of a step; empty if it did not."""
    new = step_result.after.rejected[len(step_result.before.rejected) :]
    return f"; {new[0].location} rejects the message: {new[0].dedup_key}" if new else ""


def _format_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number or 'no'} {noun}s"


EFFECT_ASSERTIONS: dict[str, Callable[..., str | Inconclusive | None]] = MESSAGE_ASSERTIONS | {
    assertion.__name__: assertion
    for assertion in (
        effects_match,
        status_in,
        retries_accepted,
        answered_in_time,
        not_acked_if_lost,
        retry_forwarded,
        forwards_despite_fault,
        nothing_opened,
        nothing_written,
        downstream_accepts,
        acked_implies_effect,
        texts_unmixed,
        acked_resolves_close,
        acked_survives,
        dedup_key_stable,
    )
}
ABOUT_EVERYTHING = frozenset({nothing_opened.__name__, nothing_written.__name__})
"""Assertions that use the user's observer and the stub services together."""
