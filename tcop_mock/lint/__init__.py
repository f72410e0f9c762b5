"""All that is wrong with catalogue entries, not only the first thing: for whoever writes them.

The same rules hold for the entries that are shipped; our tests apply them.
"""

from tcop_mock.lint.entry import Entry
from tcop_mock.lint.folder import LintReport, Remark, lint
from tcop_mock.lint.rules import RULES, Rule, Severity

__all__ = ["RULES", "Entry", "LintReport", "Remark", "Rule", "Severity", "lint"]
