// The state of the page: exchanges by number, alarms by key. It only repeats what the server tells.

import { read } from "./api.js";

const listeners = new Map();

export const state = {
  target: "", receiver: "", profile: "", seed: 0, catalog: null, check: null, storm: null, exchanges: new Map(), alarms: new Map(),
  shapes: new Set(),
};

export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

export function emit(name, value) {
  for (const listener of listeners.get(name) || []) listener(value);
}

function place(exchange) {
  const old = state.exchanges.get(exchange.id);
  state.exchanges.set(exchange.id, exchange);
  if (exchange.shape) state.shapes.add(exchange.shape);
  let alarm = state.alarms.get(exchange.alarm);
  if (!alarm) {
    alarm = { key: exchange.alarm, ids: [], title: exchange.title, subtitle: exchange.subtitle, last: 0 };
    state.alarms.set(exchange.alarm, alarm);
  }
  if (!old) alarm.ids.push(exchange.id);
  if (exchange.state !== "message" || alarm.ids.length === 1) {
    alarm.title = exchange.title;
    alarm.subtitle = exchange.subtitle;
  }
  alarm.last = Math.max(alarm.last, exchange.at);
}

function drop(before) {
  for (const [number, exchange] of state.exchanges) {
    if (number >= before) break;
    state.exchanges.delete(number);
    const alarm = state.alarms.get(exchange.alarm);
    alarm.ids = alarm.ids.filter((one) => one !== number);
    if (!alarm.ids.length) state.alarms.delete(exchange.alarm);
  }
}

const handlers = {
  exchange(one) { place(one); emit("exchange", one); },
  dropped(one) { drop(one.before); emit("exchanges"); },
  target(one) { state.target = one.target; emit("target"); },
  check(one) { state.check = one; emit("check"); },
  clause(one) {
    const clauses = state.check.clauses;
    const at = clauses.findIndex((clause) => clause.code === one.code);
    if (at < 0) clauses.push(one); else clauses[at] = one;
    emit("clause", one);
  },
  storm(one) { state.storm = one; emit("storm"); },
  second(one) { state.storm.points.push(one); emit("storm"); },
};

async function load() {
  const found = await read("/api/state");
  const { exchanges, ...rest } = found;
  Object.assign(state, rest);
  state.exchanges = new Map();
  state.alarms = new Map();
  state.shapes = new Set();
  exchanges.forEach(place);
  return found.event;
}

let source = null;

export async function connect() {
  const after = await load();
  for (const name of ["target", "exchanges", "check", "storm"]) emit(name);
  if (source) source.close();
  source = new EventSource(`/events?after=${after}`);
  source.onopen = () => emit("link", true);
  source.onerror = () => {
    emit("link", false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect().catch(() => source.onerror()), 2000);
  };
  source.addEventListener("reset", () => connect());
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
  }
}
