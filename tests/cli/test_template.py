"""``--template`` and ``--header``: notifications from users' templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from receiver_factories import server_factory

from tcop_mock.callbacks.notification_template import ASSUMED, VARIABLES
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory

CVM = "cvm/basic-monitoring"


@pytest.fixture
def emit(tcop: RunCommand, tmp_path: Path) -> Callable[..., CommandResult]:
    """Give a function that emits by a template's text."""

    def call(text: str, *arguments: str, shape: str = CVM) -> CommandResult:
        file = tmp_path / "notice.tmpl"
        file.write_text(text, encoding="utf-8")
        return tcop("emit", shape, "--template", str(file), "--seed", "3", *arguments)

    return call


def test_variables_are_put_in(tcop: RunCommand, emit: Callable[..., CommandResult]) -> None:
    """The values are those of the callback that is generated without a template."""
    [body] = tcop("emit", CVM, "--seed", "3", "--state", "resolved").bodies
    done = emit(
        "{{.policy_id}}|{{ .policy_name }}|{{.app_id}}|{{.object}}|{{.duration}}|{{.status}}|{{.recovery_time_fmt}}",
        *("--state", "resolved"),
    )
    policy, about = body["alarmPolicyInfo"], body["alarmObjInfo"]
    assert done.stdout == (
        f"{policy['policyId']}|{policy['policyName']}|{about['appId']}|{about['dimensions']['objName']}"
        f"|{body['durationTime']}|Recovery|{body['recoverTime']}\n"
    )


def test_what_is_assumed_is_reported(emit: Callable[..., CommandResult]) -> None:
    """The assumptions are on standard error, before the seed."""
    done = emit("plain, no variable")
    assert (done.exit_code, done.stdout) == (0, "plain, no variable\n")
    assert done.stderr.splitlines() == [*(f"assumed: {line}" for line in ASSUMED), "seed 3"]


@pytest.mark.parametrize("shape", [CVM, "cvm/events", "cdn/domain", "clb/public-listener"])
@pytest.mark.parametrize("state", ["firing", "resolved"])
@pytest.mark.parametrize("profile", ["2019-ack", "2023"])
def test_every_variable_has_a_value_for_every_kind(
    emit: Callable[..., CommandResult], shape: str, state: str, profile: str
) -> None:
    """Metrics with and without region, events, in both languages; times are those of the alarm."""
    text = "\n".join(f"{name}={{{{.{name}}}}}" for name in VARIABLES)
    for flags in (["--lang", "zh"], ["--no-threshold"] if "events" not in shape else []):
        done = emit(text, "--state", state, "--profile", profile, *flags, shape=shape)
        values = dict(line.split("=", 1) for line in done.stdout.splitlines())
        assert list(values) == list(VARIABLES)
        assert (values["recovery_time"] != "") == (state == "resolved")
        assert int(values["trigger_time"]) == int(values["first_trigger_time"]) + int(values["duration"])
        assert values["content"]
        assert values["object"]


def test_an_object_without_a_name_is_reported_by_its_dimensions(
    emit: Callable[..., CommandResult], tmp_path: Path
) -> None:
    """The dimensions name an object that has neither objName nor unInstanceId."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "acme.toml").write_text(
        'title = "Acme - queue"\nkind = "metric"\nnamespace = "qce/acme"\nregional = false\nsource = "a capture"\n'
        'assumed = []\n[policy]\ntype = "acme_queue"\nname = "Acme - queue"\n[values]\n'
        'queue = { generator = "digits", length = 3 }\n[dimensions]\nqueueId = "{queue}"\nzone = "z"\n[[metrics]]\n'
        'metricName = "depth"\nmetricShowName = "Depth"\nunit = "Count"\nsource = "ours"\n',
        encoding="utf-8",
    )
    done = emit("{{.object}};{{.region}}{{.region_fmt}}", "--catalog", str(tmp_path / "own"), shape="acme")
    assert done.stdout.startswith("queueId=")
    assert done.stdout.endswith(", zone=z;\n")


REFUSED = {
    "{{.content}}\n{{.contnt}}": "unknown variable 'contnt' in {file}, line 2; did you mean 'content'?",
    "a\n\n{{if .x}}x": "{file}, line 3: '{{{{if .x}}}}' is not a variable like {{{{.content}}}}",
    "x" * 3001: "{file} renders to 3001 characters; TCOP allows 3000",
}


@pytest.mark.parametrize("text, message", REFUSED.items(), ids=["typo", "condition", "long"])
def test_a_wrong_template_is_refused(
    emit: Callable[..., CommandResult], tmp_path: Path, text: str, message: str
) -> None:
    """One line says where and what."""
    done = emit(text)
    assert (done.exit_code, done.error_message) == (2, message.format(file=tmp_path / "notice.tmpl"))
    assert emit("x" * 3000).exit_code == 0


@pytest.mark.parametrize("flags", [["--form", "observed"], ["--set", "a=1"], ["--unset", "a"], ["--mutate", "emoji"]])
def test_what_does_not_go_with_a_template_is_refused(emit: Callable[..., CommandResult], flags: list[str]) -> None:
    """Edits of a body that is not there."""
    done = emit("x", *flags)
    assert done.error_message == "--template writes the whole body: leave --form, --set, --unset and --mutate out"


def test_a_template_is_utf_8(tcop: RunCommand, tmp_path: Path) -> None:
    """Other encodings are reported with the file."""
    (tmp_path / "t").write_bytes(b"caf\xe9")
    done = tcop("emit", CVM, "--template", str(tmp_path / "t"))
    assert (done.exit_code, done.error_message) == (2, f"file {str(tmp_path / 't')!r} is not UTF-8 (byte 3)")


def test_a_notice_is_sent_with_its_headers(
    tcop: RunCommand, tmp_path: Path, opened: Callable[[ReceiverFactory], str]
) -> None:
    """Own headers take the place of those of the same name."""
    received: list[ReceivedRequest] = []

    def handler(request: ReceivedRequest) -> Reply:
        received.append(request)
        return Reply(200)

    (tmp_path / "t").write_text("{{.status_fmt}}", encoding="utf-8")
    url = opened(server_factory(lambda: handler))
    headers = ("--header", "content-type: text/plain", "--header", "X-Team:payments")
    done = tcop("send", CVM, "--to", url, "--template", str(tmp_path / "t"), *headers)
    assert done.exit_code == 0
    [request] = received
    reported = {name.lower(): value for name, value in request.headers}
    assert (request.body, reported["content-type"], reported["x-team"]) == (b"Triggered", "text/plain", "payments")
    assert "assumed: templates" in done.stderr


@pytest.mark.parametrize(
    "header, message",
    [
        ("X-Team", "--header 'X-Team': write NAME:VALUE in printable ASCII, as in 'X-Team: payments'"),
        ("X Team: a", "--header 'X Team: a': write NAME:VALUE in printable ASCII, as in 'X-Team: payments'"),
        ("X: a\r\nY: b", "--header 'X: a\\r\\nY: b': write NAME:VALUE in printable ASCII, as in 'X-Team: payments'"),
        ("Host: x", "--header Host: the sender sets it"),
        ("authorization: x", "--header authorization: the sender sets it from USER:PASSWORD@ in the target"),
    ],
)
def test_a_wrong_header_is_refused(tcop: RunCommand, header: str, message: str) -> None:
    """Invalid headers and headers that the sender sets itself are errors."""
    done = tcop("emit", CVM, "--format", "curl", "--header", header)
    assert (done.exit_code, done.error_message) == (2, message)
