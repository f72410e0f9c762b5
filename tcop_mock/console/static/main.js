// Start: load the state, connect the stream, and show the view that the address names.

import { $ } from "./dom.js";
import { attempt, change, read, tell } from "./api.js";
import { connect, emit, on, state } from "./store.js";
import { language, switchLanguage, t, translate } from "./i18n.js";
import * as contract from "./contract.js";
import * as detail from "./detail.js";
import * as send from "./send.js";
import * as share from "./share.js";
import * as storm from "./storm.js";
import * as stream from "./stream.js";

const VIEWS = ["stream", "send", "contract", "storm", "share"];

function view(isFirst) {
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "stream";
  for (const one of VIEWS) $(`view-${one}`).hidden = one !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  if (name === "stream") { stream.refresh(); if (!isFirst) $("list").focus({ preventScroll: true }); }
}

function link(isLive) {
  $("link").classList.toggle("live", isLive);
  $("link").textContent = isLive ? t("live") : t("offline");
}

function label() {
  const other = language() === "zh" ? "English" : "中文";
  $("language").textContent = other;
  $("language").setAttribute("aria-label", other);
  $("language").lang = language() === "zh" ? "en" : "zh";
}

async function setTarget(event) {
  event.preventDefault();
  const answer = await attempt(() => change("/api/target", { url: $("target").value }));
  $("target").value = answer ? answer.target : state.target; // the password leaves the page at once
  if (answer) tell(t("targetSet"), true);
}

async function main() {
  translate();
  label();
  on("target", () => { $("target").value = state.target; });
  on("link", link);
  $("target-form").addEventListener("submit", setTarget);
  $("target").addEventListener("focus", () => $("target").select());
  $("language").addEventListener("click", () => { switchLanguage(); label(); link($("link").classList.contains("live")); emit("language"); });
  document.addEventListener("keydown", (event) => { if (!$("view-stream").hidden) stream.keyboard(event); });
  addEventListener("hashchange", () => view(false));
  state.catalog = await read("/api/catalog");
  stream.start();
  detail.start();
  await connect();
  for (const one of [send, contract, storm, share]) one.start();
  view(true);
}

main().catch((error) => tell(error.message));
