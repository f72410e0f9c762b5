"""Every clause is proved, and docs/proof.md lists the proofs."""

from __future__ import annotations

from proof_page import bugs_by_code, page

from tcop_mock.contract.clauses import load_clauses


def test_every_clause_has_a_bug_that_it_finds() -> None:
    """Every clause has a mutant, and no cell of the page is empty."""
    codes = {clause.code for clause in load_clauses()}
    assert codes <= bugs_by_code().keys()
    assert page().count("| – |") == 0


def test_the_page_names_every_bug_once() -> None:
    """The page has one row per clause."""
    rows = [line for line in page().splitlines() if line.startswith("| TCM")]
    assert len(rows) == len(load_clauses())
