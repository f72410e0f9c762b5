"""A receiver as a process, which the clauses about processes end and measure; optionally with one bug."""

from __future__ import annotations

import asyncio
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from receiver_factories import CREDENTIALS, with_userinfo
from run_check import CATALOG, CachedContractRun, verdict_of

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.managed_receiver import ManagedReceiver, target_to_run
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.process.receiver_process import ReceiverCommand, ReceiverProcess
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.verdict import Verdict

SCRIPT = """\
import json, os, signal, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
TOKEN, BUG = sys.argv[1:]
sessions, alarms, kept = set(), {}, []

def forward(alarm):
    text = json.dumps({"msgtype": "text", "text": {"content": "firing: " + alarm["alarmPolicyInfo"]["policyId"]}})
    url = "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"
    urllib.request.urlopen(url, text.encode(), timeout=3).read()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status(body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def status(self, body):
        if self.headers.get("Authorization") != TOKEN:
            return 401
        try:
            alarm = json.loads(body)
        except ValueError:
            if BUG == "logs-the-headers-of-what-it-rejects":
                print(dict(self.headers), flush=True)
            return 400
        if BUG == "logs-headers":
            print(self.headers, flush=True)
        if BUG == "keeps-every-body":
            kept.append(os.urandom(100_000))
        if BUG == "leaves-files-open":
            kept.append(open(os.devnull))
        if alarm["sessionId"] not in sessions:
            forward(alarm)
        sessions.add(alarm["sessionId"])
        alarms[alarm["alarmPolicyInfo"]["policyId"]] = alarm
        return 200

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
if BUG == "ignores-sigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server.serve_forever()
"""
MUTANTS = {
    "TCM703-ignores-SIGTERM": "ignores-sigterm",
    "TCM704-keeps-every-body": "keeps-every-body",
    "TCM704-leaves-files-open": "leaves-files-open",
    "TCM705-logs-headers": "logs-headers",
    "TCM705-logs-headers-of-rejected-requests": "logs-the-headers-of-what-it-rejects",
}
"""By clause and bug; those of the clauses that look at effects, too, are not processes."""
_FASTER = {
    "stops_in_time": {"within_s": 1.0},
    "size_bounded": {"first": 20, "further": 80, "max_kib": 40.0, "noise_mib": 3.0, "max_files": 20, "limit_s": 60.0},
}
"""Parameters of assertions that show the same in less time, also on a busy machine."""


def check_process(clauses: Sequence[str], bug: str = "") -> Verdict:
    """Return the verdict on the receiver, as of ``check --run``."""
    target = target_to_run(with_userinfo("http://", CREDENTIALS).removeprefix("http://") + "/")
    token = f"Basic {CREDENTIALS.token().reveal()}"
    command = shlex.join([sys.executable, "-E", "-S", "-c", SCRIPT, token, bug])
    process = ReceiverProcess(ReceiverCommand.parse(command), target.host, target.port, grace_s=0.2)
    managed = ManagedReceiver(process, CaughtHosts.parse(()), target.credentials)
    selected = tuple(map(_faster, select_clauses(load_clauses(), clauses)))
    config = managed.configure(ObservationConfig(effect_timeout_s=5.0))
    plan = CheckPlan(target, CATALOG, selected, load_profile(), 7, observation=config)

    async def run() -> Verdict:
        async with config.listening():
            return await verdict_of(CachedContractRun(plan, HttpTransport(target), monotonic_s, asyncio.sleep))

    return asyncio.run(run())


def _faster(clause: Clause) -> Clause:
    assertions = tuple(
        replace(invocation, params=_FASTER.get(invocation.name, invocation.params)) for invocation in clause.assertions
    )
    return replace(clause, assertions=assertions)
