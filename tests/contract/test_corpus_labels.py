"""Each label of the exported corpus holds for every receiver that keeps the contract."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import PROCESSES, SERVERS, run_process
from page_snippets import blocks
from receiver_factories import in_thread
from run_check import CATALOG

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.mutators import ExpectedReaction, load_mutators
from tcop_mock.domain.contract import Level
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import Target
from tcop_mock.reports.export import ExportBuilder
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.reports.export import ExportFile

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
FILES = [
    file
    for file in ExportBuilder(CATALOG, CATALOG.match("cvm/*"), 7, load_profile(), langs=(Lang.ZH,)).files()
    if file.metadata["kind"] in {"mutation", "callback"}
]
ACCEPTED, REJECTED = range(200, 300), range(400, 500)
START_S = 60.0
VERIFICATION = "empty-json-object-as-the-verification-is-assumed-to-post"


def misjudged(url: str) -> dict[str, int | None]:
    """Post the corpus to a receiver; return the status of each body whose label does not hold."""
    target = Target.parse(url)
    transport = HttpTransport(target)

    async def post_all() -> dict[str, int | None]:
        statuses = {}
        for file in FILES:
            request = OutgoingRequest(file.content, credentials=target.credentials)
            statuses[file.path] = (await transport(request, deadline_s=20.0)).status
        return statuses

    statuses = asyncio.run(post_all())
    return {file.path: statuses[file.path] for file in FILES if statuses[file.path] not in statuses_of(file)}


def statuses_of(file: ExportFile) -> range:
    """Return the statuses that the label of a file allows."""
    if file.metadata["kind"] == "callback":
        return ACCEPTED if file.metadata["level"] == "must" else range(200, 500)
    return {"accept": ACCEPTED, "reject": REJECTED, "either": range(200, 600)}[file.metadata["wanted"]]


@pytest.mark.proof
@pytest.mark.parametrize("name", ["answers-200", "answers-202-without-body", "rejects-with-422"])
def test_labels_hold_for_conforming_responses(name: str) -> None:
    """Each conforming receiver answers the corpus as its labels say."""
    with in_thread(SERVERS[name]) as url:
        assert misjudged(url) == {}


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_labels_hold_for_the_examples(name: str) -> None:
    """The receivers of the examples accept and reject what the labels say, each on its own server."""
    with run_process(PROCESSES[name]) as url:
        assert misjudged(url) == {}


@contextlib.contextmanager
def run_page(page: str, title: str, commands: list[list[str]], folder: Path) -> Iterator[str]:
    """Write the receiver of a page, run the commands (the last one serves), and yield its URL."""
    [code] = [block.code for block in blocks((PAGES / page).read_text(encoding="utf-8")) if block.title == title]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / title).write_text(code.replace("8080", str(port)), encoding="utf-8")
    environment = os.environ | {"ALARM_USER": "tcop", "ALARM_PASSWORD": "s3cret"}
    for command in commands[:-1]:
        subprocess.run(command, cwd=folder, env=environment, check=True)  # noqa: S603 - ours
    with subprocess.Popen(  # noqa: S603 - ours
        commands[-1], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + START_S
            while not _listens(port):
                assert process.poll() is None, f"the receiver of {page} did not start"
                assert time.monotonic() < deadline, f"the receiver of {page} does not listen"
            yield f"http://tcop:s3cret@127.0.0.1:{port}/tcop"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.proof
@pytest.mark.checkout
def test_labels_hold_for_the_page_about_go(tmp_path: Path) -> None:
    """If Go is installed, the receiver of the page about Go keeps to the labels."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs go, which is not installed")
    commands = [[go, "build", "-o", "receiver", "receiver.go"], ["./receiver"]]
    with run_page("go.md", "receiver.go", commands, tmp_path) as url:
        assert misjudged(url) == {}


@pytest.mark.proof
@pytest.mark.checkout
def test_labels_hold_for_the_page_about_express(tmp_path: Path) -> None:
    """If Express is installed (``NODE_PATH``), the receiver of the page about Express keeps to the labels."""
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", 'require("express")'], capture_output=True, check=False).returncode:  # noqa: S603 - ours
        pytest.skip("needs node and Express, which are not installed")
    with run_page("express.md", "receiver.cjs", [[node, "receiver.cjs"]], tmp_path) as url:
        assert misjudged(url) == {}


def test_only_must_clauses_demand_a_reaction() -> None:
    """A clause that a conforming receiver may break allows both reactions, and still says what it recommends."""
    mutators = load_mutators().values()
    for mutator in mutators:
        assert mutator.expected_reaction in {mutator.recommended_reaction, ExpectedReaction.EITHER}
        assert mutator.level is Level.MUST or mutator.expected_reaction is ExpectedReaction.EITHER
    reactions = {mutator.name: mutator.expected_reaction for mutator in mutators}
    assert reactions["body-of-a-form"] is ExpectedReaction.REJECT
    for name in ("5-000-objects-inside-each-other", "object-that-is-not-a-callback", "empty-body", VERIFICATION):
        assert reactions[name] is ExpectedReaction.EITHER
    assert load_mutators()["empty-body"].recommended_reaction is ExpectedReaction.REJECT


def test_levels_of_forms_are_those_of_their_clauses() -> None:
    """A callback of a form has the level of the clause that posts this form."""
    clauses = {
        form: clause.level
        for clause in load_clauses()
        if clause.code in {"TCM307", "TCM317", "TCM318", "TCM319"}
        for form in clause.builder.params["forms"]
    }
    shapes = [CATALOG.get("antiddos/events")]
    files = ExportBuilder(CATALOG, shapes, 7, load_profile(), langs=(Lang.EN,)).files()
    levels = {file.metadata["form"]: file.metadata["level"] for file in files if file.metadata["kind"] == "callback"}
    assert levels == clauses


def test_a_profile_has_the_bodies_of_its_own_clauses() -> None:
    """Bodies of clauses of other profiles are not in the corpus."""

    def names(profile: str) -> set[str]:
        files = ExportBuilder(CATALOG, [], 7, load_profile(profile)).files()
        return {file.metadata["mutator"] for file in files if file.metadata["kind"] == "mutation"}

    assert VERIFICATION in names("2021-verify") - names("2023")
    assert "body-of-a-form" in names("2023") - names("template")


def test_the_readme_explains_every_label() -> None:
    """The page of the corpus names each folder of mutations."""
    [readme] = [
        file.content.decode()
        for file in ExportBuilder(CATALOG, [], 7, load_profile()).files()
        if file.path == "README.md"
    ]
    assert set(re.findall(r"`mutations/(\w+)/`", readme)) == set(ExpectedReaction)
