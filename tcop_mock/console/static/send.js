// Compose a callback, edit it, and fire, repeat and resolve the same alarm.

import { $, h, option, replace } from "./dom.js";
import { attempt as tryTo, change, tell } from "./api.js";
import { emit, on, state } from "./store.js";
import { jsonLines, codeBlock } from "./detail.js";
import { language, t } from "./i18n.js";

const MAX_SHAPES = 60;
const DELIVERIES = { real: {}, fast: { time_scale: 0 }, once: { attempts: 1 } };
const wish = { shape: "cvm/basic-monitoring", state: "firing", repeats: 0, metric: "", event: "", form: "documented", lang: "en",
  notify: "continuous:5m", mutate: "", seed: 0, profile: "" };
let query = "";
let delivery = "fast";
let body = null; // what the server said of the body
let timer = 0;
let queue = Promise.resolve(); // what reads or writes the body, in the order of the clicks

const shape = () => state.catalog.shapes.find((one) => one.id === wish.shape);
const named = (one, zh) => (zh || one);

function found() {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = state.catalog.shapes.map((one) => ({ one, text: [one.id, one.title, one.title_zh, ...[...one.metrics, ...one.events].flat()].join(" ").toLowerCase() }));
  const rank = ({ one }) => (`${one.id} ${one.title} ${one.title_zh}`.toLowerCase().includes(query.toLowerCase()) ? 0 : 1);
  return rows.filter(({ text }) => words.every((word) => text.includes(word))).sort((a, b) => rank(a) - rank(b)).map(({ one }) => one).slice(0, MAX_SHAPES);
}

function shapes() {
  const rows = found();
  const chinese = language() === "zh";
  return h("div", { class_: "shapes", id: "shapes", role: "listbox", tabindex: 0, "aria-label": t("shape"),
    "aria-activedescendant": `shape-${wish.shape.replace("/", "-")}`, onkeydown: (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = rows.findIndex((one) => one.id === wish.shape);
      choose(rows[Math.min(rows.length - 1, Math.max(0, at + step))]);
    } }, rows.map((one) => h("div", { role: "option", id: `shape-${one.id.replace("/", "-")}`, "aria-selected": String(one.id === wish.shape), onclick: () => choose(one) },
    chinese ? one.title_zh || one.title : one.title, h("small", {}, `${one.id} · ${one.kind}${chinese ? "" : ` · ${one.title_zh || ""}`}`))));
}

function choose(one) {
  if (!one) return;
  Object.assign(wish, { shape: one.id, metric: "", event: "", state: "firing", repeats: 0 });
  if (!one.forms.includes(wish.form)) wish.form = "documented";
  draw();
  const chosen = document.querySelector('#shapes [aria-selected="true"]');
  if (chosen) chosen.scrollIntoView({ block: "nearest" });
  compose();
}

const field = (name, control) => h("label", { class_: "field" }, h("span", {}, t(name)), control);

function select(name, values, texts = {}) {
  return h("select", { id: `wish-${name}`, onchange: (event) => { wish[name] = event.target.value; if (name === "mutate") wish.state = "firing"; compose(); } },
    values.map((value) => option(value, texts[value] || value, wish[name])));
}

function stateButtons(one) {
  const names = one.kind === "metric" ? ["firing", "repeated", "resolved"] : one.resolves ? ["firing", "resolved"] : ["firing"];
  return h("div", { class_: "segments", role: "group", "aria-label": t("state") }, names.map((name) =>
    h("button", { type: "button", "aria-pressed": String(wish.state === name), onclick: () => {
      wish.state = name;
      if (name === "repeated" && !wish.repeats) wish.repeats = 1;
      if (name === "firing") wish.repeats = 0;
      draw(); compose();
    } }, t(name))));
}

function draw() {
  const one = shape();
  const kind = one.kind === "metric" ? "metric" : "event";
  const items = one.kind === "metric" ? one.metrics : one.events;
  const names = Object.fromEntries(items.map(([name, en, zh]) => [name, `${named(language() === "zh" ? zh : en) || en}  (${name})`]));
  const steps = [["fire", "firing"], ...(one.kind === "metric" ? [["repeat", "repeated"]] : []), ...(one.resolves ? [["resolve", "resolved"]] : [])];
  const focus = document.activeElement && document.activeElement.id;
  replace($("compose"),
    h("div", {}, h("label", { class_: "field" }, h("span", {}, t("search")),
      h("input", { id: "shape-search", type: "search", autocomplete: "off", value: query, oninput: (event) => { query = event.target.value; $("shapes").replaceWith(shapes()); } })), shapes()),
    h("div", { class_: "field" }, h("span", {}, t("sendNow")), h("div", { class_: "actions", role: "group", "aria-label": t("sendNow") }, steps.map(([label, name], index) =>
      h("button", { type: "button", id: `do-${label}`, class_: index ? "" : "primary", onclick: () => fire(name) }, t(label))),
    h("button", { type: "button", class_: "quiet", onclick: () => { wish.seed = Math.floor(Math.random() * 2 ** 32); wish.state = "firing"; wish.repeats = 0; draw(); compose(); } }, t("newSeed")))),
    h("div", { class_: "field" }, h("span", {}, t("preview")), stateButtons(one)),
    field(kind, select(kind, ["", ...items.map(([name]) => name)], { "": t("random"), ...names })),
    h("div", { class_: "pair" }, field("form", select("form", one.forms)), field("lang", select("lang", ["en", "zh"], { en: "English", zh: "中文" }))),
    h("div", { class_: "pair" }, field("profile", select("profile", state.catalog.profiles.filter((name) => name !== "template"))),
      field("seed", h("input", { id: "wish-seed", type: "number", min: 0, step: 1, value: wish.seed, onchange: (event) => { wish.seed = Math.max(0, Math.floor(Number(event.target.value))); compose(); } }))),
    one.kind === "metric" ? field("notify", select("notify", ["continuous:5m", "continuous:1h", "exponential:5m", "single"])) : null,
    field("mutator", select("mutate", ["", ...state.catalog.mutators.map((each) => each.name)], { "": t("none"), ...Object.fromEntries(state.catalog.mutators.map((each) => [each.name, `${each.name}  (${each.clause})`])) })),
    field("retries", h("select", { id: "delivery", onchange: (event) => { delivery = event.target.value; } },
      [["fast", "fast"], ["real", "asProfile"], ["once", "once"]].map(([value, text]) => option(value, t(text), delivery)))));
  if (focus && $(focus) && $("compose").contains($(focus))) $(focus).focus();
}

// An answer may come after the next click: each click acts on the body that the clicks before it left.
const inOrder = (work) => { queue = queue.then(() => tryTo(work)); };

async function composed(wanted) {
  const answer = await change("/api/compose", wanted);
  show(answer, answer.command);
  return answer;
}

function compose() {
  const wanted = { ...wish };
  inOrder(() => composed(wanted));
}

function fire(name) {
  if (name === "repeated") wish.repeats = wish.state === "resolved" ? 1 : wish.repeats + 1;
  if (name === "firing") wish.repeats = 0;
  wish.state = name;
  draw();
  const wanted = { ...wish };
  inOrder(async () => post({ body_base64: (await composed(wanted)).base64 }));
}

function bodyFields() {
  const text = $("body-text");
  return text ? { body: text.value } : { body_base64: body.base64 };
}

const send = () => inOrder(() => post(bodyFields()));

async function post(fields) {
  const sent = await change("/api/send", { ...fields, profile: wish.profile, ...DELIVERIES[delivery] });
  tell(`${t("sent")} #${sent.id}`, true);
  const place = $("sent");
  if (place) replace(place, h("a", { href: "#stream", onclick: () => emit("open", sent.id) }, `${t("sent")} #${sent.id}: ${t("see")}`));
}

function verdict() {
  const notes = body.notes.slice(0, 30);
  return [h("div", { class_: "verdict", role: "status" }, h("span", { class_: `chip ${body.valid ? "pass" : "problem"}` }, body.valid ? t("valid") : t("notValid")),
    [body.kind, body.shape, `${body.size} B`].filter(Boolean).join(" · ")),
  notes.length ? h("ul", { class_: "notes" }, notes.map((one) => h("li", {}, h("span", { class_: `chip ${one.level}` }, t(one.level)), " ", one.path && h("code", {}, one.path), " ", one.message))) : null];
}

function changed() {
  clearTimeout(timer);
  timer = setTimeout(() => inOrder(async () => {
    body = await change("/api/inspect", bodyFields());
    replace($("verdict"), verdict());
  }), 200);
}

function edit(isRemoval) {
  const path = $("edit-path").value.trim();
  const value = $("edit-value").value.trim();
  const changes = isRemoval ? { unset: [path] } : { sets: [`${path}=${value}`] };
  inOrder(async () => show(await change("/api/edit", { ...bodyFields(), ...changes }), "", true));
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

// Numbers that JavaScript cannot hold must not change, so such a body is shown as it is.
function readable(text) {
  return /-?\d{16,}|\d\.\d{16,}|\d[eE]|-0\b/.test(text) || /\.\d*0[,}\]]/.test(text) ? text : pretty(text);
}

function show(answer, command, isEdited = false) {
  body = answer;
  const editable = answer.text !== null;
  const paths = ["edit-path", "edit-value"].map((id) => ($(id) ? $(id).value : ""));
  replace($("editor-card"),
    h("label", { class_: "field" }, h("span", {}, t("editor")), editable
      ? h("textarea", { id: "body-text", spellcheck: "false", value: isEdited || command || answer.fresh ? readable(answer.text) : answer.text, oninput: changed })
      : h("p", { class_: "sub" }, t("notText"))),
    editable ? null : jsonLines(answer.lines),
    editable && h("div", { class_: "edit-row" },
      h("input", { id: "edit-path", type: "text", placeholder: "alarmObjInfo.dimensions.vport", "aria-label": t("path"), value: paths[0], spellcheck: "false" }),
      h("input", { id: "edit-value", type: "text", placeholder: "443", "aria-label": t("value"), value: paths[1], spellcheck: "false" }),
      h("button", { type: "button", id: "edit-set", onclick: () => edit(false) }, t("setValue")),
      h("button", { type: "button", onclick: () => edit(true) }, t("unset"))),
    h("div", { id: "verdict" }, verdict()),
    h("div", { class_: "actions" }, h("button", { type: "button", id: "send-body", class_: "primary", onclick: send }, t("sendBody")), h("span", { id: "sent", class_: "sub" })),
    command ? h("details", {}, h("summary", {}, t("command")), codeBlock(command)) : null);
}

export function start() {
  wish.seed = state.seed;
  wish.profile = state.profile;
  wish.lang = language();
  draw();
  compose();
  on("language", () => { draw(); if (body) compose(); });
  on("edit", (exchange) => {
    location.hash = "#send";
    clearTimeout(timer);
    replace($("editor-card")); // the body of before must not look like this one
    inOrder(async () => show({ ...(await change("/api/inspect", { body: exchange.editable })), fresh: true }, ""));
  });
}
