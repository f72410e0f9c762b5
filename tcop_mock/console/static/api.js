// Requests to our own server: reads, and changes with the token of the session.

import { $ } from "./dom.js";

const token = document.querySelector('meta[name="token"]').content;
let timer = 0;

async function documentOf(response) {
  const text = await response.text();
  let document_ = null;
  try { document_ = JSON.parse(text); } catch { /* an error of the gate is plain text */ }
  if (!response.ok) throw new Error((document_ && document_.error) || text.trim() || `status ${response.status}`);
  return document_;
}

export const read = async (path) => documentOf(await fetch(path, { cache: "no-store" }));

export const change = async (path, body = {}) =>
  documentOf(await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Tcop-Mock-Token": token },
    body: JSON.stringify(body),
  }));

export function tell(text, good = false) {
  const box = $("toast");
  box.textContent = text;
  box.hidden = !text;
  box.classList.toggle("good", good);
  clearTimeout(timer);
  if (text) timer = setTimeout(() => { box.hidden = true; }, good ? 3000 : 9000);
}

export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    tell(error.message);
    return null;
  }
}
