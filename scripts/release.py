"""Prepare a checkout for a release: ``python scripts/release.py v1.2.3 https://HOST/OWNER/NAME``.

It checks that the tag fits the version, that CHANGELOG.md has it with a date, and that no page says that there is no
release. Then it makes the links of README.md absolute, because a package index shows the page without the repository,
and adds ``[project.urls]``. Only the release workflow knows the address of the repository, so the files of the
repository do not contain it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
_UNRELEASED = "not on a package index yet"
_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!\w+:|#)([^)\s]+)\)")


def problems(tag: str, version: str, changelog: str) -> list[str]:
    """Return why a tag cannot be released."""
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and pyproject.toml has version {version}; tag v{version}")
    if not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no line `## {version} - YEAR-MONTH-DAY`; add it")
    return found


def stale_pages(pages: dict[str, str]) -> list[str]:
    """Return the pages, of these texts by name, that tell readers not to use a package index."""
    return [
        f"{name} says that tcop-mock is {_UNRELEASED}; write how it is installed from the index"
        for name, text in pages.items()
        if _UNRELEASED in " ".join(text.split())
    ]


def absolute_links(page: str, url: str, tag: str) -> str:
    """Return a page whose links to files of the repository are absolute; pictures are linked as files, not as pages."""
    return _LINK.sub(
        lambda link: f"{link[1]}{link[2]}({url}/{'raw' if link[1] else 'blob'}/{tag}/{link[3]})",
        page,
    )


def add_urls(pyproject: str, url: str, tag: str) -> str:
    """Return pyproject.toml with the addresses of the project."""
    urls = {
        "Homepage": url,
        "Documentation": f"{url}/blob/{tag}/docs/index.md",
        "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    table = "".join(f'{name} = "{address}"\n' for name, address in urls.items())
    return pyproject.replace("[project.scripts]\n", f"[project.urls]\n{table}\n[project.scripts]\n", 1)


def main(tag: str, url: str) -> int:
    """Check the tag, and write README.md and pyproject.toml."""
    readme, pyproject = ROOT / "README.md", ROOT / "pyproject.toml"
    project = pyproject.read_text(encoding="utf-8")
    version = tomllib.loads(project)["project"]["version"]
    found = problems(tag, version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    pages = [readme, ROOT / "docs" / "ci.md"]
    found += stale_pages({page.name: page.read_text(encoding="utf-8") for page in pages})
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        readme.write_text(absolute_links(readme.read_text(encoding="utf-8"), url, tag), encoding="utf-8")
        pyproject.write_text(add_urls(project, url, tag), encoding="utf-8")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
