// @ts-check
// A card for each picture, and in it a pane for each model that is asked about it.

import { byId, bytes, clone, find } from "./elements.js";
import { drawEvidence } from "./evidence.js";

/** @import { Answer, Evidence, Told } from "./service.js" */

/**
 * @typedef {{model: string, element: HTMLElement, told?: Told<Answer>, evidence?: Evidence, wanted: string | null,
 *   explaining: AbortController}} Pane
 *   `wanted`: the label whose evidence is shown
 * @typedef {{whenRemoved: (card: Card) => void, askAnew: (card: Card) => void}} Callbacks
 * @typedef {Callbacks & {file: File, url: string, element: HTMLElement, panes: Pane[], asking: AbortController,
 *   settled: boolean, waits: boolean, notBefore: number}} Card
 *   `settled`: all panes have an answer or a problem; `waits`: for the service to be ready, and is asked about then;
 *   `notBefore`: in milliseconds of performance.now()
 * @typedef {(card: Card, pane: Pane, label: string | null) => unknown} Explain
 */

/** @type {Card[]} */
export const cards = [];

/**
 * @param {File} file
 * @param {Callbacks & {made: boolean, before: Element | null}} how `made`: it lies nowhere but in this page
 * @returns {Card}
 */
export function addCard(file, { made, before, ...callbacks }) {
  const element = clone("card-template");
  const asking = new AbortController();
  const url = URL.createObjectURL(file);
  const card = { file, url, element, panes: [], asking, settled: false, waits: false, notBefore: 0, ...callbacks };
  find(element, ".name").textContent = file.name;
  find(element, ".size").textContent = bytes(file.size);
  find(element, ".remove").setAttribute("aria-label", `Remove ${file.name}`);
  find(element, ".remove").addEventListener("click", () => remove(card));
  const save = { href: url, download: file.name, hidden: !made, ariaLabel: `Save ${file.name}` };
  Object.assign(find(element, ".save"), save);
  byId("cards").insertBefore(element, before);
  cards.push(card);
  showWhetherAny();
  return card;
}

/** @param {Card} card */
export function remove(card) {
  const next = card.element.nextElementSibling ?? card.element.previousElementSibling;
  const hadFocus = card.element.contains(document.activeElement);
  card.asking.abort();
  URL.revokeObjectURL(card.url);
  card.element.remove();
  cards.splice(cards.indexOf(card), 1);
  showWhetherAny();
  if (hadFocus && next) find(next, ".remove").focus();
  else if (hadFocus) byId("choose").focus();
  card.whenRemoved(card);
}

function showWhetherAny() {
  byId("answers").hidden = !cards.length;
  document.body.classList.toggle("has-answers", cards.length > 0);
  if (!cards.length) byId("program").hidden = true;
}

/**
 * Fresh panes, in which nothing is answered yet; who was in an old one finds themselves at the card's heading.
 * @param {Card} card @param {string[]} models @param {Explain} explain
 */
export function makePanes(card, models, explain) {
  card.settled = false;
  card.panes = models.map((model) => (
    { model, element: clone("pane-template"), wanted: null, explaining: new AbortController() }));
  for (const pane of card.panes) preparePane(card, pane, explain);
  const panes = find(card.element, ".panes");
  const hadFocus = panes.contains(document.activeElement);
  panes.replaceChildren(...card.panes.map((pane) => pane.element));
  panes.classList.toggle("two", models.length > 1);
  find(card.element, ".compared").hidden = true;
  if (hadFocus) find(card.element, "h3").focus();
}

/** @param {Card} card @param {Pane} pane @param {Explain} explain */
function preparePane(card, pane, explain) {
  find(pane.element, ".model").textContent = pane.model;
  const clicked = () => explain(card, pane, pane.wanted === null ? best(pane) : null);
  find(pane.element, ".evidence-toggle").addEventListener("click", clicked);
  find(pane.element, ".strength input").addEventListener("input", () => drawEvidence(pane));
  const image = /** @type {HTMLImageElement} */ (find(pane.element, "img"));
  image.alt = `The picture ${card.file.name}`;
  image.addEventListener("load", () => fitFrame(card, pane, image));
  image.addEventListener("error", () => showBlind(pane, image));
  image.src = card.url;
}

/** @param {Pane} pane */
function best(pane) {
  return pane.told?.answer.predictions[0].label ?? null;
}

/** @param {Card} card @param {Pane} pane @param {HTMLImageElement} image */
function fitFrame(card, pane, { naturalWidth, naturalHeight }) {
  find(pane.element, ".frame").style.setProperty("--aspect", String(naturalWidth / naturalHeight));
  const moving = card.file.type === "image/gif" ? ", of its pictures the first is asked about" : "";
  find(card.element, ".size").textContent = `${naturalWidth} × ${naturalHeight}, ${bytes(card.file.size)}${moving}`;
  drawEvidence(pane);
}

/**
 * The browser cannot show the file; the service may well read it.
 * @param {Pane} pane @param {HTMLImageElement} image
 */
function showBlind(pane, image) {
  image.hidden = true;
  find(pane.element, ".frame").style.setProperty("--aspect", "1.6"); // unknown
  find(pane.element, ".blind").hidden = false;
}
