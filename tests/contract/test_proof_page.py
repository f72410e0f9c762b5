"""Every clause is proved, and docs/proof.md says by what."""

from __future__ import annotations

from proof_page import mistakes_by_code, page

from tcop_mock.contract.clauses import load_clauses


def test_every_clause_has_a_mistake_that_it_finds() -> None:
    """There is no clause without a receiver that breaks it, and no mistake of a clause that is not there."""
    codes = {clause.code for clause in load_clauses()}
    assert codes <= mistakes_by_code().keys()
    assert page().count("| – |") == 0


def test_the_page_names_every_mistake_once() -> None:
    """A row for each clause."""
    rows = [line for line in page().splitlines() if line.startswith("| TCM")]
    assert len(rows) == len(load_clauses())
