// Files of the conversation.

import { $, h, replace } from "./dom.js";
import { on } from "./store.js";
import { codeBlock } from "./detail.js";
import { t } from "./i18n.js";

function draw() {
  replace($("share"),
    h("section", {}, h("h3", {}, t("recording")), h("p", {}, t("recordingText")), codeBlock("tcop-mock replay conversation.jsonl --to http://127.0.0.1:8080/"),
      h("p"), h("a", { class_: "button", href: "/export/recording.jsonl", download: true }, `${t("save")} conversation.jsonl`)),
    h("section", {}, h("h3", {}, t("page")), h("p", {}, t("pageText")),
      h("a", { class_: "button", href: "/export/conversation.html", download: true }, `${t("save")} conversation.html`)));
}

export function start() {
  draw();
  on("language", draw);
}
