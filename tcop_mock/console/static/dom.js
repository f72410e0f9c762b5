// Builds elements from text. Nothing here parses HTML, so no text of a callback can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "at") Object.assign(element.style, value);
    else element.setAttribute(name === "class_" ? "class" : name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);
export const $ = (id) => document.getElementById(id);

export function replace(element, ...children) {
  element.replaceChildren(...children.flat().filter((one) => one !== undefined && one !== null && one !== false));
}

export function option(value, text, chosen) {
  return h("option", { value, selected: value === chosen }, text);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export const seconds = (value) =>
  value === null || value === undefined ? "–" : value < 0.9995 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`;

export function clockTime(unix, withMillis) {
  const date = new Date(unix * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

// "slow" is an answer over the 5 s line, "bad" one that TCOP counts as failed.
export const LIMIT_S = 5;
export function tone(one) {
  if (!one.outcome) return "pending";
  if (one.outcome === "acked") return one.duration > LIMIT_S ? "slow" : "acked";
  return one.outcome === "timed_out" ? "slow" : "bad";
}
