"""Request builders at the HTTP level: framing, segments, methods, headers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.mutations import apply_mutation
from tcop_mock.domain.callback import State
from tcop_mock.domain.contract import CaseGroup, ClauseTest, CredentialVariant, RequestCase, SendOrder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.contract.case_factory import CaseFactory

BROKEN_JSON = b'{"sessionId":"broken","alarmStatus":'
_CHINESE_NAME = "生产环境核心交易"
_FIRST_NON_ASCII = 0x80
"""The lowest byte of a multi-byte character in UTF-8."""
_MISSING_BYTES = 20
_SLOW_SENDER_GAP_S = 0.1


def header_variants(
    factory: CaseFactory, *, variants: Sequence[Mapping[str, Any]], lower_case: bool = False
) -> ClauseTest:
    """Post a plain callback with other headers, after one with the usual headers as control.

    Args:
        factory: makes the cases.
        variants: tables of ``title`` and ``headers`` (name to value), which replace headers of the same name.
        lower_case: whether the names of all headers are sent in lower case.
    """
    cases = []
    for variant in variants:
        case, own_headers = factory.plain_case(variant["title"]), tuple(variant["headers"].items())
        names = {name.lower() for name, _ in own_headers}
        other_headers = tuple(header for header in case.request.headers if header[0].lower() not in names)
        request = replace(case.request, headers=(*other_headers, *own_headers), lower_case_names=lower_case)
        cases.append(replace(case, request=request))
    return ClauseTest((CaseGroup(tuple(cases), factory.plain_case()),))


def template_notices(
    factory: CaseFactory, *, template: str, shapes: Sequence[str], headers: Mapping[str, str]
) -> ClauseTest:
    """Post callbacks of the user's own template with extra headers, firing and, where possible, resolved.

    Args:
        factory: makes the cases.
        template: the default template, if the user has given none.
        shapes: globs of shape ids.
        headers: name to value.
    """
    cases = []
    for shape in factory.match_shapes(shapes):
        for state in (State.FIRING, State.RESOLVED) if shape.can_resolve else (State.FIRING,):
            tree = factory.tree(factory.alarm(shape, required_state=state), state)
            request = factory.request(factory.render_notice(tree, shape, template))
            request = replace(request, headers=(*request.headers, *headers.items()))
            cases.append(RequestCase(f"a templated callback of {shape.id} {state}", request, shape.id))
    return ClauseTest((CaseGroup(tuple(cases)),))


def chunked(factory: CaseFactory) -> ClauseTest:
    """Post a plain callback as one chunk and as several chunks, after one with Content-Length as control."""
    one_chunk, many_chunks = (
        factory.plain_case("a body in one chunk"),
        factory.plain_case("a body in chunks of 100 bytes"),
    )
    cases = (
        replace(one_chunk, request=replace(one_chunk.request, chunked=True)),
        replace(many_chunks, request=replace(many_chunks.request, chunked=True, segment_sizes=(100,))),
    )
    return ClauseTest((CaseGroup(cases, factory.plain_case()),))


def query_string(factory: CaseFactory, *, query: str) -> ClauseTest:
    """Post a plain callback to the URL with a query string, after one to the unchanged URL as control."""
    case = factory.plain_case("a query string in the URL")
    return ClauseTest((CaseGroup((replace(case, request=replace(case.request, query=query)),), factory.plain_case()),))


def keep_alive(factory: CaseFactory) -> ClauseTest:
    """Post a plain callback on a connection that has already served another request.

    The first request is a callback, broken JSON, a callback with Chinese names, whose answer may be longer in bytes
    than in characters, or, if the receiver has credentials, a callback without them.
    """
    first_cases = [
        factory.plain_case("a callback"),
        RequestCase("broken JSON", factory.request(BROKEN_JSON)),
        _chinese_case(factory, "a callback with Chinese names"),
    ]
    if factory.credentials:
        anonymous = factory.plain_case("a callback without credentials")
        first_cases.append(
            replace(
                anonymous,
                request=replace(anonymous.request, credentials=None),
                credential_variant=CredentialVariant.NONE,
            )
        )
    groups = []
    for first_case in first_cases:
        second_case = factory.plain_case(f"a plain callback on the connection of {first_case.title}")
        name = f"{factory.code} {first_case.title}"  # clauses run concurrently
        first_request = replace(first_case.request, keep_alive=True, connection_name=name)
        second_request = replace(second_case.request, reuse_connection=True, connection_name=name)
        cases = (
            replace(first_case, request=first_request, is_asserted=False),
            replace(second_case, request=second_request),
        )
        groups.append(CaseGroup(cases, factory.plain_case()))
    return ClauseTest(tuple(groups), send_order=SendOrder.SEQUENTIAL)


def _chinese_case(factory: CaseFactory, title: str) -> RequestCase:
    shape = factory.catalog.get(factory.plain_shape)
    tree = factory.tree(factory.alarm(shape), State.FIRING)
    return factory.case(title, apply_mutation(tree, {"set": {"alarmPolicyInfo.policyName": _CHINESE_NAME}}), shape)


def anonymous_reuse(factory: CaseFactory) -> ClauseTest:
    """Post without credentials on a connection that has served a callback with the right ones."""
    first_case = factory.plain_case("a callback with the right credentials")
    second_case = factory.plain_case("a callback without credentials on the connection of one with the right ones")
    cases = (
        replace(
            first_case,
            request=replace(first_case.request, keep_alive=True, connection_name=factory.code),
            is_asserted=False,
        ),
        replace(
            second_case,
            request=replace(second_case.request, credentials=None, reuse_connection=True, connection_name=factory.code),
            credential_variant=CredentialVariant.NONE,
        ),
    )
    anonymous = factory.plain_case("a callback with no credentials")
    negative_control = replace(
        anonymous, request=replace(anonymous.request, credentials=None), credential_variant=CredentialVariant.NONE
    )
    return ClauseTest((CaseGroup(cases, factory.plain_case(), negative_control),), send_order=SendOrder.SEQUENTIAL)


def truncated_body(factory: CaseFactory) -> ClauseTest:
    """Send less of a body than Content-Length announces, and close our side of the connection."""
    half_sent, whole_sent = (
        factory.plain_case("half a body"),
        factory.plain_case("a whole body with a larger Content-Length"),
    )
    content_length = ("Content-Length", str(len(whole_sent.request.body) + _MISSING_BYTES))
    cases = (
        replace(half_sent, request=replace(half_sent.request, truncate_at=len(half_sent.request.body) // 2)),
        replace(
            whole_sent,
            request=replace(
                whole_sent.request,
                truncate_at=len(whole_sent.request.body),
                headers=(*whole_sent.request.headers, content_length),
            ),
        ),
    )
    return ClauseTest((CaseGroup(cases, factory.plain_case()),))


def during_slow_sender(factory: CaseFactory) -> ClauseTest:
    """Post a plain callback while another sender writes its body byte by byte."""
    slow_case = factory.plain_case("a sender that drips")
    slow_sender = replace(
        slow_case, request=replace(slow_case.request, segment_sizes=(1,), segment_gap_s=_SLOW_SENDER_GAP_S)
    )
    cases = (factory.plain_case("a plain callback during a sender that drips"),)
    return ClauseTest((CaseGroup(cases, factory.plain_case(), background=slow_sender),))


def http_methods(factory: CaseFactory, *, methods: Sequence[str], with_callback: Sequence[str] = ()) -> ClauseTest:
    """Send requests with methods other than POST.

    Args:
        factory: makes the cases.
        methods: methods sent without a body.
        with_callback: methods sent with a callback as body.
    """
    cases = [
        RequestCase(f"a {method} request", replace(factory.request(b""), method=method, headers=()))
        for method in methods
    ]
    for method in with_callback:
        case = factory.plain_case(f"a {method} request with a callback in it")
        cases.append(replace(case, request=replace(case.request, method=method)))
    return ClauseTest((CaseGroup(tuple(cases), factory.plain_case()),))


def segmented_body(factory: CaseFactory, *, segments: Sequence[Mapping[str, Any]]) -> ClauseTest:
    """Post a body in separate TCP segments, after the same body in a single write as control.

    Args:
        factory: makes the cases.
        segments: tables of ``title``; optional: ``set`` (values by path that differ from the plain body) and ``sizes``
            (bytes of each segment; the last value repeats). By default the body is split inside its first multi-byte
            character.
    """
    shape, groups = factory.catalog.get(factory.plain_shape), []
    alarm = factory.alarm(shape)
    for segmentation in segments:
        control, case = (
            factory.case(segmentation["title"], apply_mutation(factory.tree(alarm, State.FIRING), segmentation), shape)
            for _ in range(2)
        )
        control = replace(control, is_changed="set" in segmentation)
        sizes = segmentation.get("sizes") or (_split_inside_character(case.request.body), len(case.request.body))
        groups.append(CaseGroup((replace(case, request=replace(case.request, segment_sizes=tuple(sizes))),), control))
    return ClauseTest(tuple(groups))


def _split_inside_character(body: bytes) -> int:
    """Return the number of bytes up to and including the first byte of a multi-byte character."""
    return next(index for index, byte in enumerate(body) if byte >= _FIRST_NON_ASCII) + 1
