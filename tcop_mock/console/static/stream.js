// The list of alarms: windowed, newest first, one row for the life of an alarm.

import { $, clockTime, h, option, replace, seconds, tone } from "./dom.js";
import { emit, on, state } from "./store.js";
import { t } from "./i18n.js";

const SPANS = { fit: 0, 60: 60, 300: 300, 3600: 3600, 86400: 86400 };
const MAX_MARKS = 120;
const GAUGE_S = 6;
let rows = [];
let selected = null;
let drawn = new Map();
let wait = 0;
let frame = null;
let isStale = true; // scrolling needs no new order, filter or time axis

const list = $("list");
const spacer = h("div", { class_: "spacer" });
list.append(spacer);

const NARROW = 760; // below it a row has two lines; the heights are those of console.css
const rowHeight = () => (list.clientWidth < NARROW ? 92 : 60);
const exchangesOf = (alarm) => alarm.ids.map((id) => state.exchanges.get(id));

function matches(exchange, text, shape, wanted, outcome) {
  if (shape && exchange.shape !== shape) return false;
  if (wanted && exchange.state !== wanted) return false;
  if (outcome) {
    const found = tone(exchange);
    if (outcome === "failed" ? found !== "bad" && exchange.outcome !== "timed_out" : outcome === "late" ? found !== "slow" : found !== outcome) return false;
  }
  if (!text) return true;
  const whole = `${exchange.title} ${exchange.subtitle} ${exchange.shape} ${exchange.service} ${exchange.state} ${exchange.outcome} #${exchange.id}`;
  return whole.toLowerCase().includes(text);
}

function filtered() {
  const [text, shape, wanted, outcome] = ["text", "shape", "state", "outcome"].map((name) => $(`filter-${name}`).value.trim());
  const all = [...state.alarms.values()];
  const is = text || shape || wanted || outcome
    ? all.filter((alarm) => exchangesOf(alarm).some((one) => matches(one, text.toLowerCase(), shape, wanted, outcome)))
    : all;
  return is.sort((a, b) => b.last - a.last || (a.key < b.key ? -1 : 1));
}

function bounds() {
  const chosen = SPANS[$("span").value];
  let low = Infinity;
  let high = -Infinity;
  for (const alarm of rows) {
    for (const id of alarm.ids) {
      const one = state.exchanges.get(id);
      const last = one.attempts[one.attempts.length - 1];
      low = Math.min(low, one.at);
      high = Math.max(high, last ? last.at : one.at);
    }
  }
  if (!rows.length) { low = Date.now() / 1000 - 60; high = low + 60; }
  if (chosen) low = high - chosen;
  const span = Math.max(high - low, 2);
  return { low: low - span * 0.03, span: span * 1.06 };
}

function axis({ low, span }) {
  const count = Math.max(2, Math.min(6, Math.floor($("axis").clientWidth / 90)));
  const text = (time) => (span / (count - 1) < 2 ? clockTime(time, true).slice(0, -2) : clockTime(time)); // tenths, so that labels differ
  replace($("axis"), Array.from({ length: count }, (_, index) => index / (count - 1)).map((at) => h("span", { at: { left: `${at * 100}%` } }, text(low + at * span))));
}

function marks(exchange, { low, span }) {
  const place = (at) => `${((at - low) / span) * 100}%`;
  const found = tone(exchange);
  const first = exchange.attempts[0];
  const own = first ? tone({ ...first, pending: false }) : "pending";
  const parts = [h("i", { class_: `mark ${exchange.state} ${exchange.attempts.length > 1 ? own : found}`, at: { left: place(first ? first.at : exchange.at) } })];
  for (const one of exchange.attempts.slice(1)) {
    parts.push(h("i", { class_: `mark retry ${tone(one)}`, at: { left: place(one.at) } }));
  }
  return parts;
}

function rowText(alarm, last, slowest) {
  return `${alarm.title}, ${alarm.subtitle}, ${t(last.state)}, ${outcomeText(last)}, ${alarm.ids.length}, ${seconds(slowest)}`;
}

export function outcomeText(one) {
  if (!one.outcome) return t("pending");
  const words = t(one.outcome);
  return one.status ? `${words} ${one.status}` : words;
}

function row(alarm, index, frame, height) {
  const exchanges = exchangesOf(alarm);
  const last = exchanges[exchanges.length - 1];
  const callbacks = exchanges.filter((one) => one.state !== "message");
  const lead = callbacks[callbacks.length - 1] || last;
  const times = exchanges.flatMap((one) => one.attempts.map((attempt) => attempt.duration || 0));
  const slowest = times.length ? Math.max(...times) : null;
  const worst = exchanges.reduce((found, one) => {
    const rank = { acked: 0, pending: 1, slow: 2, bad: 3 };
    return rank[tone(one)] > rank[found] ? tone(one) : found;
  }, "acked");
  const place = (at) => ((at - frame.low) / frame.span) * 100;
  const life = callbacks.length > 1
    ? h("i", { class_: `life ${lead.state === "resolved" ? "over" : ""}`, at: {
      left: `${place(callbacks[0].at)}%`, width: `${Math.max(0, place(lead.at) - place(callbacks[0].at))}%` } })
    : null;
  const problems = exchanges.some((one) => one.problems);
  return h("div", {
    class_: "row", role: "option", id: `row-${alarm.key}`, "aria-selected": String(selected === alarm.key),
    "aria-posinset": index + 1, "aria-setsize": rows.length, "aria-label": rowText(alarm, lead, slowest),
    at: { top: `${index * height}px` }, onclick: () => { select(alarm.key); emit("open", lead.id); },
  },
  h("div", { class_: "what" },
    h("div", { class_: "title" },
      h("strong", { title: alarm.title }, alarm.title || `#${lead.id}`),
      h("span", { class_: `chip ${lead.state}` }, t(lead.state)),
      lead.outcome && lead.outcome !== "acked" && h("span", { class_: `chip ${tone(lead)}` }, outcomeText(lead)),
      problems && h("span", { class_: "chip problem" }, t("problem"))),
    h("span", { class_: "sub" }, [lead.subtitle, lead.shape, `${lead.direction === "out" ? "→" : "←"} ${clockTime(lead.at)}`].filter(Boolean).join("  ·  "))),
  h("div", { class_: "line" }, life, exchanges.slice(-MAX_MARKS).flatMap((one) => marks(one, frame))),
  h("div", { class_: "answer" },
    h("div", { class_: "gauge" }, slowest !== null && h("i", { class_: worst === "acked" ? "" : worst, at: { width: `${Math.min(1, slowest / GAUGE_S) * 100}%` } })),
    h("span", {}, slowest === null ? "…" : seconds(slowest))));
}

function draw() {
  wait = 0;
  list.parentElement.classList.toggle("narrow", list.clientWidth < NARROW);
  if (isStale) {
    options();
    rows = filtered();
    frame = bounds();
    axis(frame);
    isStale = false;
  }
  const height = rowHeight();
  spacer.style.height = `${rows.length * height}px`;
  const first = Math.max(0, Math.floor(list.scrollTop / height) - 4);
  const last = Math.min(rows.length, Math.ceil((list.scrollTop + list.clientHeight) / height) + 4);
  drawn = new Map();
  for (let index = first; index < last; index += 1) drawn.set(rows[index].key, row(rows[index], index, frame, height));
  replace(spacer, [...drawn.values()]);
  list.setAttribute("aria-activedescendant", drawn.has(selected) ? `row-${selected}` : "");
  empty();
}

function empty() {
  const box = $("empty");
  box.hidden = rows.length > 0;
  if (rows.length) return;
  if (state.alarms.size) {
    replace(box, h("strong", {}, t("nothingMatches")), h("div", { class_: "actions" }, h("button", { type: "button", onclick: clear }, t("clearFilter"))));
    return;
  }
  replace(box, h("strong", {}, t("emptyTitle")),
    state.receiver ? h("p", {}, t("emptyText"), " ", h("code", {}, state.receiver)) : h("p", {}, t("emptyRun")),
    h("div", { class_: "actions" }, h("button", { type: "button", class_: "primary", onclick: () => { location.hash = "#send"; } }, t("emptySend"))));
}

function redraw() {
  if (!wait) wait = requestAnimationFrame(draw);
}

export function refresh() {
  isStale = true;
  redraw();
}

function clear() {
  $("filters").reset();
  refresh();
}

function options() {
  const { shapes } = state;
  const chosen = (id) => $(id).value;
  const shapeNow = chosen("filter-shape");
  const shapeBox = $("filter-shape");
  if (shapeBox.options.length !== shapes.size + 1 || shapeBox.options[0].text !== t("allShapes")) {
    replace(shapeBox, option("", t("allShapes")), [...shapes].sort().map((one) => option(one, one, shapeNow)));
  }
}

function fixedOptions() {
  const now = (id) => $(id).value;
  const states = ["firing", "repeated", "resolved", "message"];
  const outcomes = ["acked", "failed", "late", "pending"];
  replace($("filter-state"), option("", t("allStates")), states.map((one) => option(one, t(one), now("filter-state"))));
  replace($("filter-outcome"), option("", t("allOutcomes")), outcomes.map((one) => option(one, t(one), now("filter-outcome"))));
  const names = { 60: "1 min", 300: "5 min", 3600: "1 h", 86400: "24 h" };
  const span = now("span") || "fit";
  replace($("span"), option("fit", t("fit"), span), Object.entries(names).map(([value, text]) => option(value, `${t("last")} ${text}`, span)));
}

export function select(key) {
  selected = key;
  const index = rows.findIndex((one) => one.key === key);
  const height = rowHeight();
  if (index >= 0) {
    if (index * height < list.scrollTop) list.scrollTop = index * height;
    if ((index + 1) * height > list.scrollTop + list.clientHeight) list.scrollTop = (index + 1) * height - list.clientHeight;
  }
  redraw();
}

function move(step) {
  const index = rows.findIndex((one) => one.key === selected);
  const next = rows[Math.min(rows.length - 1, Math.max(0, index < 0 ? 0 : index + step))];
  if (next) { select(next.key); if (!$("detail").hidden) open(); }
}

function lead() {
  const alarm = state.alarms.get(selected);
  if (!alarm) return null;
  const exchanges = exchangesOf(alarm);
  const callbacks = exchanges.filter((one) => one.state !== "message");
  return (callbacks.length ? callbacks : exchanges).at(-1);
}

function open() {
  const one = lead();
  if (one) emit("open", one.id);
}

export function keyboard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea, button, summary, a") || event.target.isContentEditable;
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    emit("close");
    list.focus();
    return;
  }
  if (typing) return;
  const keys = { j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    Home: () => { select(rows[0] && rows[0].key); }, End: () => { select(rows.length && rows.at(-1).key); },
    Enter: open, "/": () => $("filter-text").focus(), r: () => { const one = lead(); if (one) emit("resend", one.id); } };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
}

export function start() {
  fixedOptions();
  for (const name of ["filter-text", "filter-shape", "filter-state", "filter-outcome", "span"]) $(name).addEventListener("input", () => { list.scrollTop = 0; refresh(); });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  list.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(refresh).observe(list);
  on("exchange", refresh);
  on("exchanges", refresh);
  on("language", () => { fixedOptions(); refresh(); });
  on("opened", (exchange) => { if (selected !== exchange.alarm) select(exchange.alarm); });
}

