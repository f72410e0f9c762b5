"""The clauses of ``check --last-failed REPORT``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.errors import UsageError
from tcop_mock.inputs.check_report import failed_codes
from tcop_mock.reports.formats import parse_report_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.contract import Clause

_FORM_ERRORS = (LookupError, TypeError, AttributeError, ValueError)


def keep_last_failed(
    clauses: Sequence[Clause], path: str, reports: Sequence[str], common: CommonOptions
) -> tuple[Sequence[Clause], int | None]:
    """Return the clauses that failed in a report, with its seed; all clauses and no seed if none failed.

    Args:
        clauses: the selected clauses.
        path: the report; it need not exist if this run writes it.
        reports: values of ``--report``.
        common: prints why all clauses are run.

    Raises:
        UsageError: the file is not a report, or no clause is left.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        if not _is_written(path, reports):
            raise UsageError(
                f"--last-failed {path!r} is not there; `--report json={path}` writes it, also in the same call"
            ) from None
        common.info(f"{path} is not there yet: all selected clauses run")
        return clauses, None
    except OSError as problem:
        raise UsageError(f"--last-failed {path!r} cannot be read: {problem.strerror or problem}") from None
    except (ValueError, RecursionError):
        document = None
    try:
        failed, seed = failed_codes(document), int(document["seed"])
    except _FORM_ERRORS:
        raise UsageError(
            f"--last-failed {path!r} is not a report of check; write one with --report json=FILE"
        ) from None
    if not failed:
        common.info(f"no clause failed in {path}: all selected clauses run")
        return clauses, None
    left = [clause for clause in clauses if clause.code in failed]
    if not left:
        raise UsageError(
            f"--last-failed {path!r}: none of its failed clauses is selected; see --clauses, --skip and --clause-files"
        )
    common.info(f"{len(left)} of {len(clauses)} clauses run: those that failed in {path}")
    return left, seed


def _is_written(path: str, reports: Sequence[str]) -> bool:
    files = (parse_report_file(text, "--report") for text in reports)
    return any(file.format_name == "json" and Path(file.path).resolve() == Path(path).resolve() for file in files)
