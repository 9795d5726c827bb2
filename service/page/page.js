// @ts-check
// The try-it page. Pictures come in (take), are asked about one after the other (ask), and answers, problems, evidence
// and code are shown. Whatever the service or a file's name says is put in as text, never as markup.

import { announce } from "./announce.js";
import { showAnswer, showProblem } from "./answer.js";
import { letCamera } from "./camera.js";
import { addCard, cards, makePanes, remove } from "./cards.js";
import { copyCode, forgetCode, showCode } from "./code.js";
import { showComparison } from "./comparison.js";
import { byId, find, notice, value } from "./elements.js";
import { explain } from "./evidence.js";
import { showFacts } from "./models.js";
import { takeFromEverywhere } from "./pictures.js";
import { addressOf, send, service, whyNotSent } from "./service.js";
import { keepLooking, lookAtModelsAnew, lookAtOnce, useKey } from "./served.js";
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
  keepLooking({ whenReady: askAgain, whenChosen: () => cards.forEach(ask) });
}

/** Takes pictures as they are. @type {import("./pictures.js").Take} */
function take(files, { made = false } = {}) {
  if (files.length > MOST_PICTURES) {
    const first = `${files.length} files: the first ${MOST_PICTURES} are asked about.`;
    notice(`${first} For many, \`python -m trainer predict\` is made.`);
  }
  const before = byId("cards").firstElementChild; // the latest come first, in their order
  const how = { made, before, askAnew: ask, whenRemoved: (/** @type {Card} */ card) => forgetCode(card.file) };
  for (const file of files.slice(0, MOST_PICTURES)) ask(addCard(file, how));
}

function removeAll() {
  [...cards].forEach(remove);
  byId("choose").focus();
}

/** @param {Event} event */
function settingsChanged(event) {
  showFacts();
  if (/** @type {HTMLInputElement} */ (event.target).reportValidity()) cards.forEach(ask);
}

/** There is somebody to ask: for those who wait for that, and no sooner than each may. */
function askAgain() {
  for (const card of cards.filter((one) => one.waits)) {
    const { asking, notBefore } = card;
    setTimeout(() => asking.signal.aborted || ask(card), Math.max(0, notBefore - performance.now()));
  }
}

/** @param {Card} card */
function ask(card) {
  card.asking.abort();
  const asking = (card.asking = new AbortController());
  Object.assign(card, { waits: false, notBefore: 0 });
  const models = [value("model"), value("beside")].filter((name, index) => index === 0 || name);
  const urls = models.map((model) => addressOf("predict", model, parameters()));
  makePanes(card, models, explain);
  inTurn(() => (asking.signal.aborted ? undefined : askAll(card, urls, asking.signal)))
    .catch((error) => showFailure(card, error));
}

/** @param {Card} card @param {URL[]} urls one for each pane @param {AbortSignal} signal */
async function askAll(card, urls, signal) {
  for (const [index, pane] of card.panes.entries()) {
    /** @type {Told<Answer> | Problem} */
    const told = whyNotSent(card.file) ?? (await send(urls[index], card.file, signal));
    if (signal.aborted) return;
    show(card, pane, told);
  }
  if (card.panes.length > 1) showComparison(card);
  card.done = card.panes.every((pane) => pane.told);
  if (card.done) showCode(card.file, urls.map(String));
  announce(card);
}

/** @param {Card} card @param {Pane} pane @param {Told<Answer> | Problem} told */
function show(card, pane, told) {
  if ("answer" in told) {
    if (isNewVersion(pane, told.answer)) lookAtModelsAnew();
    return showAnswer(pane, told, (label) => explain(card, pane, label));
  }
  showProblem(pane, told, () => ask(card));
  card.waits ||= Boolean(told.waits);
  card.notBefore = Math.max(card.notBefore, performance.now() + 1000 * (told.wait_s ?? 0));
  if (told.unreachable) lookAtOnce();
  if (told.status === 404) lookAtModelsAnew();
}

/** @param {Pane} pane @param {Answer} answer */
function isNewVersion(pane, answer) {
  const known = service.models.find((one) => one.name === (pane.model || service.default));
  return known !== undefined && known.version !== answer.version;
}

/** This page has a fault. @param {Card} card @param {Error} error */
function showFailure(card, error) {
  console.error(error);
  card.settled = true;
  const title = "This page failed";
  const detail = `It could not show what came of ${card.file.name} (${error.message}). Reload it.`;
  const waiting = card.panes.filter((pane) => find(pane.element, ".answer").ariaBusy === "true");
  for (const pane of waiting) showProblem(pane, { title, detail, again: true }, () => ask(card));
  if (!waiting.length) notice(`${title}. ${detail}`);
}

/** The last values that can be asked for: what is being typed may not be one yet. */
const lastValid = { "top-k": "5", threshold: "" };

function parameters() {
  for (const id of /** @type {(keyof typeof lastValid)[]} */ (Object.keys(lastValid))) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    if (input.checkValidity()) lastValid[id] = input.value;
  }
  const found = new URLSearchParams({ top_k: lastValid["top-k"] || "5" });
  if (lastValid.threshold !== "") found.set("threshold", lastValid.threshold);
  return found;
}

start();
