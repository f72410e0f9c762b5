"""Pact files (Pact V4): one interaction for each callback that TCM101 posts, so that a Pact verifier checks a receiver.

The format is that of the Pact Specification, version 4: synchronous HTTP interactions, bodies with their content type,
matching rules by part of the message.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.callbacks.generator import Generator
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import builder_of, find_clause, load_clauses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.profile import Profile

CLAUSE = "TCM101"
CONSUMER, PROVIDER = "tencent-cloud-alarms", "webhook-receiver"
_ANY_SUCCESS = {"status": {"combine": "AND", "matchers": [{"match": "statusCode", "status": "success"}]}}
"""TCOP's pages after 2021 do not say which 2xx counts, so each does."""


def pact_document(
    catalog: Catalog, shape_ids: Collection[str], profile: Profile, seed: int, path: str
) -> dict[str, Any]:
    """Return a pact between TCOP and a receiver.

    Args:
        catalog: the catalogue.
        shape_ids: the shapes to post.
        profile: the generation of the callback contract.
        seed: of the callbacks; ``check`` posts the same ones with the same seed.
        path: path of the receiver.
    """
    interactions = [_interaction(case, path) for case in _cases(catalog, profile, seed) if case.shape_id in shape_ids]
    return {
        "consumer": {"name": CONSUMER},
        "provider": {"name": PROVIDER},
        "interactions": interactions,
        "metadata": {
            "pactSpecification": {"version": "4.0"},
            "tcop-mock": {"version": __version__, "profile": profile.name, "seed": str(seed)},
        },
    }


def _cases(catalog: Catalog, profile: Profile, seed: int) -> Iterator[RequestCase]:
    """Yield the requests of the clause that posts every shape."""
    clause = find_clause(load_clauses(), CLAUSE)
    generator = Generator(seed, wire_format=profile.wire_format)
    factory = CaseFactory(catalog, generator, CLAUSE, headers=profile.delivery.headers)
    for group in builder_of(clause)(factory, **clause.builder.params).groups:
        yield from group.cases


def _interaction(case: RequestCase, path: str) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in case.request.headers:
        headers.setdefault(name, []).append(value)
    return {
        "type": "Synchronous/HTTP",
        "key": case.title.replace("/", "-").replace(" ", "-"),
        "description": f"a callback of {case.title}",
        "pending": False,
        "request": {
            "method": case.request.method,
            "path": path,
            "headers": headers,
            "body": {"content": json.loads(case.request.body), "contentType": "application/json", "encoded": False},
        },
        "response": {"status": 200, "matchingRules": _ANY_SUCCESS},
        "comments": {"text": [f"{CLAUSE}: tcop-mock explain {CLAUSE}"]},
    }
