"""Curl commands as requests: the words of a shell, read as curl reads them.

No file that a command names is opened: ``-d @file`` is refused, because the command may be anybody's.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.errors import UsageError
from tcop_mock.inputs.shell import CMD_QUOTING, ShellCommand, ShellWord, parse_cmd, parse_shell

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 4 * 1024 * 1024
"""Maximum size of commands in bytes: they are read character by character, about a megabyte in a second."""
CURL_WORD = re.compile(rb"(?<![\w.-])curl(?:\.exe)?[\"']?[ \t\r\n\\^]")
"""The word ``curl`` anywhere in a text."""
NO_BODY = "has no body: -d, --data, --data-raw, --data-binary or --json gives one"
_HOST_PROMPT = r"\[?[\w.-]+@[\w.-]+[^\n'\"]*?[$#%>]"
_PROMPT = re.compile(
    rf"^(?:{_HOST_PROMPT}|[$%❯➜»](?:[ ]+~)?|[\w.~/-]+[ ]?[$%]|PS[ ][^\n>]*>|[A-Za-z]:\\[^\n>]*>)[ \t]*"
    r"(?=(?:[^\s'\"]*[/\\])?curl(?:\.exe)?[ \t])",
    re.MULTILINE,
)
"""Prompts of terminals."""
_POWERSHELL_CONTINUATION = re.compile(r"[ \t]`[ \t]*\n")
_CAT_IN_QUOTES = re.compile(
    r"""["]\$\(cat[ ]*<<-?[ ]*(?P<quote>['"]?)(?P<end>\w+)(?P=quote)[ ]*\n"""
    r"""(?P<text>.*?)\n[ \t]*(?P=end)[ ]*\n[ \t]*\)["]""",
    re.DOTALL,
)
"""A here-document as one word: ``"$(cat <<'EOF' ... )"``."""
_CONTINUATION_PROMPT = re.compile(r"(?<=\\\n)> ?")
_PREFIX_WORDS = frozenset(
    ["do", "then", "else", "if", "elif", "while", "until", "!", "{", "time", "env", "exec", "nohup", "timeout"]
)
"""Words that may stand before the name of a program, some with options and a number of their own."""
_COMMAND_RUNNERS = frozenset(["sudo", "doas", "docker", "podman", "kubectl", "oc", "nerdctl", "xargs", "nice", "watch"])
"""Programs that run the command behind their own options and names: ``docker exec web curl ...``."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SUBSTITUTED = re.compile(r"[A-Za-z_]\w*=(?P<quote>\"?)\$\((?=[ \t]*(?:[^\s'\"]*/)?curl[ \t])")
"""A variable that gets the output of curl: ``answer=$(curl ...)``."""
_END_OF_QUOTED_SUBSTITUTION = re.compile(r"\)\"(?=[ \t]*(?:[;\n]|\Z))")
_OPTION_OR_DURATION = re.compile(r"-\S+|\d[\w.]*")
_DATA_FLAGS = frozenset({"--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_UNREAD_FLAGS = frozenset({"--data-urlencode", "--form", "--form-string", "--upload-file", "--config"})
"""Flags that give a body or a whole command, and are not read."""
_SHORT_FLAGS = {
    "d": "--data",
    "H": "--header",
    "X": "--request",
    "F": "--form",
    "T": "--upload-file",
    "K": "--config",
    "G": "--get",
    "I": "--head",
    ":": "--next",
}
_SHORT_WITH_VALUE = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
"""Short flags of curl that take a value: the last one of a bundle (``-sSd``)."""
_LONG_WITH_VALUE = re.compile(
    r"""--(?:
    abstract-unix-socket|alt-svc|aws-sigv4|cacert|capath|cert|cert-type|ciphers|config|connect-timeout|
    connect-to|continue-at|cookie|cookie-jar|create-file-mode|crlfile|curves|data|data-ascii|data-binary|
    data-raw|data-urlencode|delegation|dns-interface|dns-ipv4-addr|dns-ipv6-addr|dns-servers|doh-url|dump-
    header|egd-file|engine|etag-compare|etag-save|expect100-timeout|form|form-string|ftp-account|ftp-
    alternative-to-user|ftp-method|ftp-port|ftp-ssl-ccc-mode|happy-eyeballs-timeout-ms|header|hostpubmd5|
    hostpubsha256|hsts|interface|json|keepalive-time|key|key-type|krb|libcurl|limit-rate|local-port|
    login-options|mail-auth|mail-from|mail-rcpt|max-filesize|max-redirs|max-time|netrc-file|noproxy|
    oauth2-bearer|output|output-dir|parallel-max|pass|pinnedpubkey|proto|proto-default|proto-redir|proxy|
    proxy-cacert|proxy-capath|proxy-cert|proxy-cert-type|proxy-ciphers|proxy-crlfile|proxy-header|proxy-key|
    proxy-key-type|proxy-pass|proxy-pinnedpubkey|proxy-service-name|proxy-tls13-ciphers|proxy-tlsauthtype|
    proxy-tlspassword|proxy-tlsuser|proxy-user|preproxy|proxy1\.0|pubkey|quote|random-file|range|rate|
    referer|request|request-target|resolve|retry|retry-delay|retry-max-time|sasl-authzid|service-name|
    socks4|socks4a|socks5|socks5-gssapi-service|socks5-hostname|speed-limit|speed-time|stderr|telnet-option|
    tftp-blksize|time-cond|tls-max|tls13-ciphers|tlsauthtype|tlspassword|tlsuser|trace|trace-ascii|unix-
    socket|upload-file|url|url-query|user|user-agent|variable|write-out
    )""",
    re.VERBOSE,
)


class CurlRequest(NamedTuple):
    """The request that a curl command sends."""

    line: int
    """Line of the text on which the command begins."""
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    """``None`` if the command sends no body."""


class _Option(NamedTuple):
    """A flag of curl by its long name, or another word (with an empty flag)."""

    flag: str
    value: ShellWord


def parse_curl(raw: bytes) -> Iterator[CurlRequest]:
    """Yield the request of each curl command in a text of shell lines; other commands are passed over.

    Raises:
        UsageError: there are too many commands, their quotes do not match, or the body of one is not in the text.
    """
    if len(raw) > MAX_BYTES:
        raise UsageError(f"these curl lines are longer than {MAX_BYTES // 1024**2} MiB; give their bodies, one a line")
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\0", "\ufffd")
    is_cmd = CMD_QUOTING.search(text) is not None
    text, prompts = _PROMPT.subn("", text)
    if prompts:
        text = _CONTINUATION_PROMPT.sub("", text)
    text = _CAT_IN_QUOTES.sub(_quoted_document, _POWERSHELL_CONTINUATION.sub(" ", text))
    text = _without_substitutions(text)
    for command in parse_cmd(text) if is_cmd else parse_shell(text):
        arguments = _curl_arguments(command)
        if arguments is not None:
            yield from _requests(command, arguments)


def _quoted_document(document: re.Match[str]) -> str:
    """Return a here-document as a quoted word, with line breaks for those of its frame, so that lines keep numbers."""
    text = document["text"]
    if not document["quote"] and re.search(r"[$`]|\\[\\\n]", text):
        return document[0]
    return f"{shlex.quote(text)}" + "\\\n" * (document[0].count("\n") - text.count("\n"))


def _without_substitutions(text: str) -> str:
    """Return a text in which a command whose output a variable gets is one in parentheses."""
    while match := _SUBSTITUTED.search(text):
        rest = text[match.end() :]
        if match["quote"]:
            rest = _END_OF_QUOTED_SUBSTITUTION.sub(")", rest, count=1)
        text = f"{text[: match.start()]}({rest}"
    return text


def _curl_arguments(command: ShellCommand) -> list[ShellWord] | None:
    """Return the words behind ``curl``, or nothing where the command runs another program."""
    is_prefixed = is_run_by_other = False
    for index, word in enumerate(command.words):
        program = re.split(r"[/\\]", word.text)[-1].lower().removesuffix(".exe")
        if program == "curl":
            arguments = command.words[index + 1 :]
            is_call = not is_run_by_other or any(argument.text.startswith(("-", "http")) for argument in arguments)
            return arguments if is_call else None
        if program in _PREFIX_WORDS:
            is_prefixed = True
        elif program in _COMMAND_RUNNERS:
            is_run_by_other = True
        elif is_run_by_other:
            continue  # an option, its value, or the name of a container
        elif not _ASSIGNMENT.fullmatch(word.text) and not (is_prefixed and _OPTION_OR_DURATION.fullmatch(word.text)):
            return None
    return None


def _requests(command: ShellCommand, arguments: list[ShellWord]) -> Iterator[CurlRequest]:
    """Yield the requests of one command: ``--next`` begins another."""
    options: list[_Option] = []
    for option in [*_options(arguments), _Option("--next", ShellWord(""))]:
        if option.flag != "--next":
            options.append(option)
            continue
        yield _request(command, options)
        options = []


def _options(arguments: list[ShellWord]) -> Iterator[_Option]:
    remaining = iter(arguments)
    nothing = ShellWord("")
    for word in remaining:
        text = word.text
        if text.startswith("--"):
            flag, equals, value = text.partition("=")
            if equals:
                yield _Option(flag, word._replace(text=value))
            else:
                yield _Option(flag, next(remaining, nothing) if _LONG_WITH_VALUE.fullmatch(flag) else nothing)
        elif text.startswith("-") and len(text) > 1:
            for index, letter in enumerate(text[1:], 2):
                takes_value = letter in _SHORT_WITH_VALUE
                joined = word._replace(text=text[index:])
                value_word = (joined if joined.text else next(remaining, nothing)) if takes_value else nothing
                yield _Option(_SHORT_FLAGS.get(letter, f"-{letter}"), value_word)
                if takes_value:
                    break
        else:
            yield _Option("", word)


def _request(command: ShellCommand, options: list[_Option]) -> CurlRequest:
    values = {option.flag: option.value.text for option in options}
    urls = [option.value.text for option in options if option.flag in ("", "--url")]
    headers = tuple(
        (name.strip(), value.strip())
        for name, colon, value in (
            option.value.text.partition(":")
            for option in options
            if option.flag == "--header" and not option.value.unknown
        )
        if colon
    )
    is_get = "--get" in values or "--head" in values
    body = None if is_get else _body(command, options)
    method = values.get("--request") or ("GET" if body is None else "POST")
    return CurlRequest(command.line, method, urls[0] if urls else "", headers, body)


def _body(command: ShellCommand, options: list[_Option]) -> bytes | None:
    body: str | None = None
    for flag, word in options:
        if flag in _UNREAD_FLAGS:
            raise UsageError(f"the curl command on line {command.line} has {flag}, which is not read: use --data-raw")
        if flag not in _DATA_FLAGS:
            continue
        value = word
        if flag != "--data-raw" and word.text.startswith("@"):
            value = _input(command, word.text[1:])
        if value.unknown:
            raise UsageError(
                f"the body of the curl command on line {command.line} has {value.unknown}, which is not replaced "
                "here: write the value in its place"
            )
        joint = "" if body is None or flag == "--json" else "&"
        body = (body or "") + joint + value.text
    return None if body is None else body.encode("utf-8", "surrogateescape")


def _input(command: ShellCommand, name: str) -> ShellWord:
    """Return the text that a command reads from its standard input."""
    is_stdin = name in ("-", "/dev/stdin")
    if is_stdin and command.stdin is not None:
        return command.stdin
    place = command.stdin_source or "standard input" if is_stdin else name
    raise UsageError(
        f"the curl command on line {command.line} takes its body from {place!r}, which is not in this text: "
        "give the body itself"
    )
