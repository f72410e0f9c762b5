"""Validation of GitHub and GitLab files against the vendors' schemas bundled with check-jsonschema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from check_jsonschema import main as check_jsonschema

if TYPE_CHECKING:
    from pathlib import Path


def require_valid(file: Path, schema: str) -> None:
    """Fail if a YAML file violates the schema ``github-actions``, ``github-workflows`` or ``gitlab-ci``."""
    with pytest.raises(SystemExit) as exit_info:
        check_jsonschema(["--builtin-schema", f"vendor.{schema}", "--no-cache", str(file)])
    assert exit_info.value.code in {0, None}
