// One callback: its body with what validate says, answers, headers, differences, and commands.

import { $, LIMIT_S, clockTime, copy, h, replace, seconds, tone } from "./dom.js";
import { attempt as tryTo, change, read, tell } from "./api.js";
import { emit, on, state } from "./store.js";
import { outcomeText } from "./stream.js";
import { t } from "./i18n.js";

const TABS = ["body", "answer", "headers", "diff", "commands"];
const SCALE_S = 6;
let shown = null;
let tab = "body";
let timer = 0;
let opened = 0; // how often a detail was opened or closed: a load that began before is dropped

const box = $("detail");

export const codeBlock = (text) => h("pre", { class_: "code", tabindex: 0 }, text);

export function noteList(notes) {
  return notes.length ? h("ul", { class_: "notes" }, notes.map((one) =>
    h("li", {}, h("span", { class_: `chip ${one.level}` }, t(one.level)), " ", one.path && h("code", {}, one.path), " ", one.message))) : null;
}

export function jsonLines(lines) {
  return h("div", { class_: "code", tabindex: 0, role: "region", "aria-label": t("body") }, lines.map((line) =>
    h("div", { class_: line.notes.length ? `${line.notes[0].level}-line` : "", at: { paddingLeft: `${12 + Math.min(line.depth, 12) * 16}px` } },
      line.text, line.notes.map((note) => h("span", { class_: `note ${note.level}` }, `↑ ${note.message}`)))));
}

function bodyTab(one) {
  const verdict = one.kind === null ? null : h("p", {}, h("span", { class_: `chip ${one.problems ? "problem" : "pass"}` }, one.problems ? t("notValid") : t("valid")), " ",
    h("span", { class_: "sub" }, [one.kind, one.shape, one.profile && `${t("profile")} ${one.profile}`, `${one.size} B`].filter(Boolean).join(" · ")));
  return [verdict, noteList(one.notes), jsonLines(one.lines),
    one.assumed.length ? h("details", {}, h("summary", {}, t("assumed")), h("p", {}, one.assumed.map((path) => [h("code", {}, path), " "]))) : null];
}

function bar(one) {
  if (one.duration === null) return null;
  const at = (value) => `${Math.min(1, value / SCALE_S) * 100}%`;
  const resolved = one.resolved || 0;
  const connected = one.connected || 0;
  const first = one.first_byte === null ? one.duration : one.first_byte;
  const width = (from, to) => `${(Math.min(1, to / SCALE_S) - Math.min(1, from / SCALE_S)) * 100}%`;
  return h("div", { class_: `timeline ${tone(one)}`, "aria-hidden": "true" },
    resolved ? h("i", { class_: "resolve", at: { left: "0", width: width(0, resolved) } }) : null,
    h("i", { class_: "connect", at: { left: at(resolved), width: width(resolved, connected) } }),
    h("i", { class_: "wait", at: { left: at(connected), width: width(connected, first) } }),
    h("i", { class_: "read", at: { left: at(first), width: width(first, one.duration) } }), h("b"), h("em", {}, `${LIMIT_S} s`));
}

// Times since the start of the attempt; "–" is a step that it did not need, such as DNS for an address, or did not reach.
function timings(one, answer) {
  if (answer.duration === null) return null;
  const steps = [["end", answer.duration]];
  if (one.direction === "out") steps.unshift(["dns", answer.resolved], ["connect", answer.connected], ["firstByte", answer.first_byte]);
  return h("dl", { class_: "steps" }, steps.map(([name, value]) => h("div", {}, h("dt", {}, t(name)), h("dd", {}, seconds(value)))));
}

const headerList = (rows) => (rows.length
  ? h("dl", { class_: "facts" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))
  : h("p", { class_: "sub" }, t("noHeaders")));

function answerTab(one) {
  if (!one.answers.length) return h("p", { class_: "sub" }, t("noAnswer"));
  return one.answers.map((answer, index) => h("section", { class_: "attempt" },
    h("div", { class_: "actions" }, h("strong", {}, `${index + 1}`), h("span", { class_: `chip ${tone(answer)}` }, outcomeText(answer)),
      h("span", { class_: "sub" }, clockTime(answer.at, true)), one.fault && h("span", { class_: "chip slow" }, one.fault)),
    answer.detail && h("p", {}, answer.detail), bar(answer),
    timings(one, answer),
    headerList(answer.headers),
    answer.body.length ? codeBlock(answer.body.join("\n")) : h("p", { class_: "sub" }, t("emptyBody"))));
}

function diffTab(one) {
  const names = { firing: "againstFiring", previous: "againstPrevious", sample: "againstSample" };
  const found = Object.entries(one.diffs);
  if (!found.length) return h("p", { class_: "sub" }, t("noDiff"));
  return found.map(([name, diff]) => h("section", { class_: "attempt" }, h("h3", {}, t(names[name])), h("p", { class_: "sub" }, diff.heading),
    diff.rows.length ? h("div", { class_: "code", tabindex: 0 }, diff.rows.map((row) =>
      h("div", { class_: `diff-row ${row.kind}` }, h("span", { class_: "kind" }, row.kind), h("span", {}, row.text)))) : null));
}

function commandsTab(one) {
  return ["curl", "emit", "send", "pytest"].filter((name) => one.commands[name]).map((name) => h("div", { class_: "command" },
    h("div", { class_: "actions" }, h("strong", {}, name), h("button", { type: "button", onclick: async () => {
      const done = await copy(one.commands[name]);
      tell(done ? t("copied") : t("copyFailed"), done);
    } }, `${t("copy")} ${name}`)), codeBlock(one.commands[name])));
}

const panels = { body: bodyTab, answer: answerTab, headers: (one) => [h("p", {}, h("code", {}, `${one.method} ${one.path}`)), headerList(one.request_headers)], diff: diffTab, commands: commandsTab };

function beats(one) {
  const alarm = state.alarms.get(one.alarm);
  const ids = alarm ? alarm.ids.slice(-40) : [one.id];
  return h("div", { class_: "beats", role: "group", "aria-label": t("alarm") }, ids.map((id) => {
    const other = state.exchanges.get(id);
    return h("button", { type: "button", "aria-pressed": String(id === one.id), onclick: () => open(id) },
      h("i", { class_: `dot ${tone(other)}` }), `${other.direction === "out" ? "→" : "←"} ${other.state === "message" ? other.service : t(other.state)} #${id}`);
  }));
}

function tabs() {
  const choose = (name) => { tab = name; draw(); box.querySelector(`[data-tab="${name}"]`).focus(); };
  return h("div", { class_: "tabs", role: "tablist", onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) choose(TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length]);
  } }, TABS.map((name) => h("button", { type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-selected": String(name === tab),
    "aria-controls": "detail-panel", tabindex: name === tab ? 0 : -1, onclick: () => choose(name) }, t(name))));
}

function draw() {
  const one = shown;
  const scroll = box.scrollTop;
  replace(box,
    h("header", {}, h("div", {}, h("h3", { id: "detail-title" }, one.title || `#${one.id}`),
      h("span", { class_: "sub" }, [one.subtitle, `#${one.id} ${one.direction === "out" ? t("outgoing") : t("incoming")}`, clockTime(one.at, true), one.note].filter(Boolean).join(" · "))),
    h("span", { class_: `chip ${tone(one)}` }, outcomeText(one)),
    h("button", { type: "button", class_: "quiet", "aria-label": t("close"), onclick: close }, "✕")),
    beats(one),
    h("div", { class_: "actions" },
      h("button", { type: "button", class_: "primary", onclick: () => resend(one.id) }, t("resend")),
      one.editable !== null && h("button", { type: "button", onclick: () => emit("edit", one) }, t("editSend")),
      h("a", { href: `/api/exchanges/${one.id}/body`, download: true }, t("download"))),
    tabs(),
    h("div", { id: "detail-panel", role: "tabpanel", "aria-labelledby": `tab-${tab}` }, panels[tab](one)));
  box.scrollTop = scroll;
}

export async function open(id) {
  const number = ++opened;
  const one = await tryTo(() => read(`/api/exchanges/${id}`));
  if (!one || number !== opened) return; // closed meanwhile, or another one was opened
  const first = box.hidden;
  shown = one;
  box.hidden = false;
  draw();
  emit("opened", one);
  if (first && matchMedia("(max-width: 900px)").matches) box.focus();
}

function close() {
  opened += 1;
  shown = null;
  box.hidden = true;
  $("list").focus();
}

export async function resend(id) {
  const sent = await tryTo(() => change(`/api/exchanges/${id}/send`, {}));
  if (sent) { tell(`${t("sent")} #${sent.id}`, true); if (shown) open(sent.id); }
}

export function start() {
  on("open", open);
  on("resend", resend);
  on("close", close);
  on("language", () => { if (shown) draw(); });
  on("exchange", (one) => {
    if (!shown || one.alarm !== shown.alarm) return;
    clearTimeout(timer);
    timer = setTimeout(() => { if (shown) open(shown.id); }, 120);
  });
}
