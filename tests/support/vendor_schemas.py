"""Files for GitHub and GitLab, held to their makers' schemas, which check-jsonschema carries along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from check_jsonschema import main as check_jsonschema

if TYPE_CHECKING:
    from pathlib import Path


def require_valid(file: Path, schema: str) -> None:
    """Fail where a YAML file does not keep ``github-actions``, ``github-workflows`` or ``gitlab-ci``."""
    with pytest.raises(SystemExit) as exit_info:
        check_jsonschema(["--builtin-schema", f"vendor.{schema}", "--no-cache", str(file)])
    assert exit_info.value.code in {0, None}
