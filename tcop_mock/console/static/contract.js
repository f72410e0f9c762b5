// A check: its clauses as they turn, and its findings as the HTML report shows them.

import { $, h, option, replace } from "./dom.js";
import { attempt as tryTo, change, tell } from "./api.js";
import { on, state } from "./store.js";
import { codeBlock } from "./detail.js";
import { t } from "./i18n.js";

let failOn = "must";
let globs = "";
let effects = true;
let wait = 0;

async function start_() {
  const clauses = globs.split(",").map((one) => one.trim()).filter(Boolean);
  await tryTo(() => change("/api/check", { clauses, effects, fail_on: failOn, seed: Math.floor(Math.random() * 2 ** 32) }));
}

async function again(code, finding) {
  const answer = await tryTo(() => change("/api/check/again", { code, finding }));
  if (answer) { tell(`${t("sent")}: ${answer.sent}`, true); location.hash = "#stream"; }
}

function toolbar(check) {
  return h("form", { class_: "toolbar", onsubmit: (event) => { event.preventDefault(); if (!check.running) start_(); } },
    h("label", { class_: "field wide" }, h("span", {}, t("clauses")), h("input", { id: "clauses", type: "text", value: globs, placeholder: `${t("allClauses")}: TCM3*, recover-*`, spellcheck: "false", oninput: (event) => { globs = event.target.value; } })),
    h("label", { class_: "field" }, h("span", {}, t("failOn")), h("select", { onchange: (event) => { failOn = event.target.value; } }, ["must", "should", "may"].map((one) => option(one, one, failOn)))),
    h("label", { class_: "check", title: t("effectsNote") }, h("input", { id: "effects", type: "checkbox", checked: effects, onchange: (event) => { effects = event.target.checked; } }), t("effects")),
    check.running
      ? h("button", { type: "button", id: "stop-check", class_: "danger", onclick: () => tryTo(() => change("/api/check/stop")) }, t("stop"))
      : h("button", { type: "submit", id: "start-check", class_: "primary" }, t("start")),
    check.report && h("a", { href: "/api/check/report.html", download: true }, t("report")));
}

function finding(one, clause, index) {
  return h("section", { class_: "finding" }, h("h3", {}, one.title), h("p", {}, one.detail),
    h("details", { open: index === 0 }, h("summary", {}, t("evidence")), codeBlock(one.evidence.join("\n"))),
    h("details", {}, h("summary", {}, t("commands")), one.commands.map(codeBlock)),
    one.requests ? h("button", { type: "button", onclick: () => again(clause.code, index) }, t("seeAgain")) : null);
}

function card(clause) {
  return h("article", { class_: "card finding-card", id: clause.code },
    h("h3", {}, `${clause.code} ${clause.slug}`, h("span", { class_: "chip" }, clause.level), h("span", { class_: `chip ${clause.result}` }, t(clause.result))),
    h("p", {}, clause.requirement),
    h("dl", { class_: "facts" }, ["why", "fix", "source"].flatMap((name) => [h("dt", {}, t(name)), h("dd", {}, clause[name])])),
    clause.findings.map((one, index) => finding(one, clause, index)));
}

function cell(clause) {
  return h("div", { class_: `clause ${clause.result}`, title: clause.reason || clause.requirement, id: `cell-${clause.code}` },
    h("code", {}, clause.code), h("span", { class_: "name" }, clause.slug.replaceAll("-", " ")), h("span", { class_: `chip ${clause.result}` }, t(clause.result)));
}

function draw() {
  wait = 0;
  const check = state.check;
  const failed = check.clauses.filter((one) => one.findings.length);
  const done = check.clauses.filter((one) => !["waiting", "running"].includes(one.result)).length;
  const ran = check.clauses.filter((one) => one.result !== "not-run");
  const skipped = check.clauses.filter((one) => one.result === "not-run");
  const kind = check.running ? "" : failed.length ? "bad" : check.report ? "good" : "";
  const focus = document.activeElement && document.activeElement.id;
  replace($("contract"), toolbar(check),
    check.headline
      ? h("div", { class_: `headline ${kind}`, role: "status" }, check.running ? `${done}/${check.clauses.length} · ${check.headline}` : check.headline)
      : h("p", { class_: "sub" }, t("contractEmpty")),
    failed.length ? h("h3", { class_: "group" }, `${t("findings")} (${failed.length})`) : null, failed.map(card),
    ran.length ? h("h3", { class_: "group" }, `${t("allResults")} (${ran.length})`) : null, h("div", { class_: "clauses" }, ran.map(cell)),
    skipped.length ? h("details", {}, h("summary", { class_: "group" }, `${t("notRun")} (${skipped.length})`), h("div", { class_: "clauses" }, skipped.map(cell))) : null);
  if (focus && $(focus) && $("contract").contains($(focus))) {
    $(focus).focus();
    if (focus === "clauses") $(focus).setSelectionRange(globs.length, globs.length);
  }
}

function turn(clause) {
  const old = $(`cell-${clause.code}`);
  if (old && !clause.findings.length) { old.replaceWith(cell(clause)); count(); } else if (!wait) wait = requestAnimationFrame(draw);
}

function count() {
  const box = document.querySelector("#contract .headline");
  const clauses = state.check.clauses;
  const done = clauses.filter((one) => !["waiting", "running"].includes(one.result)).length;
  if (box && state.check.running) box.textContent = `${done}/${clauses.length} · ${state.check.headline}`;
}

export function start() {
  draw();
  on("check", draw);
  on("clause", turn);
  on("language", draw);
}
