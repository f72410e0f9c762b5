"""Files that people paste: command lines of every shell, and HAR files. Each file is an example of its kind."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_inputs, read_requests
from tcop_mock.inputs.requests import InputRequest, SkippedInput

FOLDER = Path(__file__).parent / "pasted"
FINDER = CallbackValidator(Catalog.load())
# The number of callbacks, and the number of parts that are skipped.
READ = {
    "chrome-cmd-new.curl": (1, 0),
    "chrome-cmd-old.curl": (1, 0),
    "chained-and.curl": (2, 0),
    "piped-jq.curl": (1, 0),
    "full-path.curl": (1, 0),
    "prompt.curl": (1, 0),
    "bom.curl": (1, 0),
    "heredoc-dash-tabs.curl": (1, 0),
    "echo-pipe.curl": (1, 0),
    "json-flag-twice.curl": (1, 0),
    "next.curl": (2, 0),
    "code-fence.curl": (1, 0),
    "U-ansi.curl": (1, 0),
    "har-mixed.har": (1, 4),
    "har-h2.har": (1, 0),
    "har-base64.har": (1, 0),
    "har-bom.har": (1, 0),
    "har-comment-time.har": (3, 0),
    "har-gzip-body.har": (1, 0),
}
REFUSED = {
    "powershell-iwr.curl": "looks like a PowerShell web request, .*Copy as cURL",
    "trailing-space-continuation.curl": "line 1 ends with a backslash and a blank",
    "httpie.curl": "looks like an HTTPie command",
    "har-empty-entries.har": "has no entries",
}
HAR_WITHOUT_BODY = "har-post-no-body.har"


@pytest.mark.parametrize("name", READ)
def test_a_pasted_file_is_read(name: str) -> None:
    """Both readers find the same callbacks, all of them valid, and say what they skip."""
    raw = (FOLDER / name).read_bytes()
    items = list(read_inputs(io.BytesIO(raw), name))
    bodies = [item for item in items if isinstance(item, InputRequest)]
    skipped = [str(item) for item in items if isinstance(item, SkippedInput)]
    assert (len(bodies), len(skipped)) == READ[name]
    results = [FINDER.validate_parsed(body.parsed, body.body) for body in bodies]
    assert [(result.is_valid, result.kind) for result in results] == [(True, "metric")] * len(bodies)
    assert [request.body for request in read_requests(raw, name)[0]] == [body.body for body in bodies]


def test_the_callbacks_of_a_har_keep_their_order() -> None:
    """It is the order of the file, whatever the times of the entries are."""
    items = read_inputs(io.BytesIO((FOLDER / "har-comment-time.har").read_bytes()), "f")
    assert [item.location for item in items] == ["entry 1", "entry 2", "entry 3"]


def test_a_login_form_is_printed_nowhere() -> None:
    """The line about the entry has the address, and nothing of the form."""
    raw = (FOLDER / "har-mixed.har").read_bytes()
    lines = [str(item) for item in read_inputs(io.BytesIO(raw), "f") if isinstance(item, SkippedInput)]
    assert lines[-1] == (
        "entry 5 was skipped: POST http://other.test/login: its body is not JSON (application/x-www-form-urlencoded)"
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_read_says_so(name: str) -> None:
    """One line names what it is and what to do, for both readers."""
    raw = (FOLDER / name).read_bytes()
    with pytest.raises(UsageError, match=REFUSED[name]):
        list(read_inputs(io.BytesIO(raw), name))
    with pytest.raises(UsageError, match=REFUSED[name]):
        read_requests(raw, name)


def test_an_entry_without_its_body_is_a_problem() -> None:
    """The HAR was saved without content."""
    raw = (FOLDER / HAR_WITHOUT_BODY).read_bytes()
    [item] = read_inputs(io.BytesIO(raw), "f")
    assert isinstance(item, InputRequest)
    assert not FINDER.validate_parsed(item.parsed, item.body).is_valid
    with pytest.raises(UsageError, match="entry 1 has no body in this file"):
        read_requests(raw, "f")


def test_every_file_of_the_folder_has_its_answer() -> None:
    """No file is left out."""
    assert {file.name for file in FOLDER.iterdir()} == {*READ, *REFUSED, HAR_WITHOUT_BODY}
