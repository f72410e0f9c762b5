// A scenario under its ceilings: rate, requests in flight, and times to an ack, second by second.

import { $, h, option, replace, seconds, svg } from "./dom.js";
import { attempt as tryTo, change } from "./api.js";
import { on, state } from "./store.js";
import { t } from "./i18n.js";

const WIDTH = 400;
const HEIGHT = 170;
const [LEFT, TOP, BOTTOM] = [44, 8, 20];
const form = { scenario: "deploy-noise", time_scale: "0.1", duration: "60" };

function control(name, values) {
  return h("label", { class_: "field" }, h("span", {}, t(name)),
    h("select", { id: `storm-${name}`, onchange: (event) => { form[{ speed: "time_scale", longest: "duration" }[name] || name] = event.target.value; } },
      values.map(([value, text]) => option(value, text, form[{ speed: "time_scale", longest: "duration" }[name] || name]))));
}

function toolbar(storm) {
  return h("form", { class_: "toolbar", onsubmit: (event) => { event.preventDefault(); begin(); } },
    control("scenario", state.catalog.scenarios.map((one) => [one, one])),
    control("speed", [["1", "1×"], ["0.1", "10×"], ["0.01", "100×"], ["0.001", "1000×"]]),
    control("longest", [["10", "10 s"], ["60", "1 min"], ["600", "10 min"]]),
    storm.running
      ? h("button", { type: "button", id: "stop-storm", class_: "danger", onclick: () => tryTo(() => change("/api/storm/stop")) }, t("stop"))
      : h("button", { type: "submit", id: "start-storm", class_: "primary" }, t("start")),
    storm.summary && h("a", { href: "/api/storm/report.html", download: true }, t("report")));
}

async function begin() {
  await tryTo(() => change("/api/storm", { scenario: form.scenario, time_scale: Number(form.time_scale), duration: Number(form.duration), seed: Math.floor(Math.random() * 2 ** 32) }));
}

const tile = (value, label) => h("div", { class_: "tile" }, h("b", {}, value), h("span", {}, label));

// The next round number, so that grid lines have round labels; counts have no halves.
function round(value, isCount) {
  const size = 10 ** Math.floor(Math.log10(value));
  const top = [1, 2, 5, 10].map((one) => one * size).find((one) => one >= value * 0.999);
  return isCount ? Math.max(2, top) : top;
}

function chart(title, points, series, unit, line) {
  const most = points.reduce((found, one) => Math.max(found, ...series.map(([, pick]) => pick(one))), line ? 0.001 : 1);
  const high = round(line && most > line / 3 ? Math.max(most, line * 1.1) : most, !line);
  const x = (index) => LEFT + (points.length < 2 ? 0 : (index / (points.length - 1)) * (WIDTH - LEFT - 6));
  const y = (value) => HEIGHT - BOTTOM - (value / high) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1].map((at) => [svg("line", { class_: "grid", x1: LEFT, x2: WIDTH - 6, y1: y(at * high), y2: y(at * high) }),
    svg("text", { x: LEFT - 6, y: y(at * high) + 3, "text-anchor": "end" }, unit(at * high))]);
  const paths = series.map(([, pick, name]) => svg("path", { class_: name, d: points.map((one, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(pick(one)).toFixed(1)}`).join("") }));
  const limit = line && line < high ? svg("line", { class_: "grid c", x1: LEFT, x2: WIDTH - 6, y1: y(line), y2: y(line) }) : null;
  const ends = points.length ? [svg("text", { x: LEFT, y: HEIGHT - 5 }, `${points[0].at.toFixed(0)} s`), svg("text", { x: WIDTH - 6, y: HEIGHT - 5, "text-anchor": "end" }, `${points.at(-1).at.toFixed(0)} s`)] : [];
  const label = `${title}: ${series.map(([key, pick]) => `${key} ${points.length ? unit(pick(points.at(-1))) : "–"}`).join(", ")}`;
  return h("section", { class_: "card chart" }, h("h3", {}, title, series.map(([key, , name]) => h("span", { class_: `key ${name}` }, key))),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, ...grid.flat(), ...(limit ? [limit] : []), ...paths, ...ends));
}

function draw() {
  const storm = state.storm;
  const points = storm.points;
  const last = points.at(-1);
  const perSecond = (value, span) => (span ? value / span : value);
  const whole = (value) => (value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1));
  const summary = storm.summary;
  const tiles = last ? [tile(whole(perSecond(last.acked + last.failed, last.span)), t("rate")), tile(last.in_flight, t("inFlight")), tile(seconds(last.p50), t("p50")), tile(seconds(last.p99), t("p99")), tile(last.total, t("attempts")),
    ...(summary ? [tile(summary.amplification.toFixed(2), t("amplification")), tile(summary.lost, t("lost")), tile(summary.over_limit, t("over5"))] : [])] : [];
  const focus = document.activeElement && document.activeElement.id;
  replace($("storm"), toolbar(storm),
    storm.headline ? h("div", { class_: `headline ${summary ? (summary.lost ? "bad" : "good") : ""}`, role: "status" }, storm.headline) : h("p", { class_: "sub" }, t("stormEmpty")),
    h("p", { class_: "sub" }, t("ceilings")),
    h("div", { class_: "tiles" }, tiles),
    last ? h("div", { class_: "charts" },
      chart(t("perSecond"), points, [[t("acked"), (one) => perSecond(one.acked, one.span), "a"], [t("failed"), (one) => perSecond(one.failed, one.span), "b"]], whole),
      chart(t("acksOver"), points, [["p50", (one) => one.p50, "a"], ["p99", (one) => one.p99, "b"]], seconds, 5),
      chart(t("inFlight"), points, [[t("inFlight"), (one) => one.in_flight, "a"]], whole)) : null);
  if (focus && $(focus) && $("storm").contains($(focus))) $(focus).focus();
}

export function start() {
  draw();
  on("storm", draw);
  on("language", draw);
}
