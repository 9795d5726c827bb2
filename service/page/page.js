// @ts-check
// The try-it page. Pictures come in (take), are asked about one after the other (ask), and answers, problems, evidence
// and code are shown. Whatever the service or a file's name says is put in as text, never as markup.

import { announce, showAnswer, showProblem } from "./answer.js";
import { letCamera } from "./camera.js";
import { addCard, cards, makePanes, remove } from "./cards.js";
import { copyCode, showCode } from "./code.js";
import { showComparison } from "./comparison.js";
import { byId, notice, value } from "./elements.js";
import { explain } from "./evidence.js";
import { takeFromEverywhere } from "./pictures.js";
import { addressOf, send, whyNotSent } from "./service.js";
import { keepLooking, lookAtOnce, showFacts, useKey, wantKey } from "./served.js";
import { inTurn } from "./turn.js";

/** @import { Card, Pane } from "./cards.js" */
/** @import { Answer, Problem, Told } from "./service.js" */

const MOST_PICTURES = 100;

function start() {
  takeFromEverywhere(take);
  letCamera(take);
  for (const name of ["model", "beside", "top-k", "threshold"]) byId(name).addEventListener("change", settingsChanged);
  byId("key-form").addEventListener("submit", useKey);
  byId("clear").addEventListener("click", removeAll);
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", copyCode);
  keepLooking({ whenReady: askAgain });
}

/** Takes pictures as they are. @type {import("./pictures.js").Take} */
function take(files, { made = false } = {}) {
  if (files.length > MOST_PICTURES) notice(`${files.length} files: the first ${MOST_PICTURES} are asked about. For many, \`python -m trainer predict\` is made.`);
  const before = byId("cards").firstElementChild; // the latest come first, in their order
  for (const file of files.slice(0, MOST_PICTURES)) ask(addCard(file, { made, before, whenRemoved: () => byId("choose").focus() }));
}

function removeAll() {
  [...cards].forEach(remove);
  byId("choose").focus();
}

function settingsChanged() {
  showFacts();
  const inputs = ["top-k", "threshold"].map((id) => /** @type {HTMLInputElement} */ (byId(id)));
  if (inputs.every((input) => input.reportValidity())) cards.forEach(ask);
}

function askAgain() {
  cards.filter((card) => !card.done).forEach(ask);
}

/** @param {Card} card */
function ask(card) {
  card.asking.abort();
  const asking = (card.asking = new AbortController());
  const models = [value("model"), value("beside")].filter((name, index) => index === 0 || name);
  makePanes(card, models, explain);
  inTurn(() => (asking.signal.aborted ? undefined : askAll(card, asking.signal)));
}

/** @param {Card} card @param {AbortSignal} signal */
async function askAll(card, signal) {
  for (const pane of card.panes) {
    /** @type {Told<Answer> | Problem} */
    const told = whyNotSent(card.file) ?? (await send(addressOf("predict", pane.model, parameters()), card.file, signal));
    if (signal.aborted) return;
    show(card, pane, told);
  }
  card.done = card.panes.every((pane) => pane.told);
  if (card.panes.length > 1) showComparison(card);
  if (card.done) showCode(card.file, card.panes.map((pane) => addressOf("predict", pane.model, parameters()).href));
  announce(card);
}

/** @param {Card} card @param {Pane} pane @param {Told<Answer> | Problem} told */
function show(card, pane, told) {
  if ("answer" in told) return showAnswer(pane, told, (label) => explain(card, pane, label));
  showProblem(pane, told, () => ask(card));
  if (told.status === 401) wantKey(true);
  if (told.unreachable) lookAtOnce();
}

function parameters() {
  const found = new URLSearchParams({ top_k: value("top-k") || "5" });
  if (value("threshold") !== "") found.set("threshold", value("threshold"));
  return found;
}

start();
