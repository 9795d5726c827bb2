// @ts-check
// A card for each picture, and in it a pane for each model that is asked about it.

import { byId, bytes, clone, find } from "./elements.js";
import { drawEvidence } from "./evidence.js";

/** @import { Answer, Evidence, Told } from "./service.js" */

/**
 * @typedef {{model: string, element: HTMLElement, told?: Told<Answer>, evidence?: Evidence, wanted: string | null}} Pane
 *   `wanted`: the label whose evidence is shown
 * @typedef {{file: File, url: string, element: HTMLElement, panes: Pane[], asking: AbortController, done: boolean,
 *   whenRemoved: () => void}} Card
 * @typedef {(card: Card, pane: Pane, label: string | null) => unknown} Explain
 */

/** @type {Card[]} */
export const cards = [];

/**
 * @param {File} file
 * @param {{made: boolean, before: Element | null, whenRemoved: () => void}} how `made`: it lies nowhere but in this page
 * @returns {Card}
 */
export function addCard(file, { made, before, whenRemoved }) {
  const element = clone("card-template");
  const card = { file, url: URL.createObjectURL(file), element, panes: [], asking: new AbortController(), done: false, whenRemoved };
  find(element, ".name").textContent = file.name;
  find(element, ".size").textContent = bytes(file.size);
  find(element, ".remove").setAttribute("aria-label", `Remove ${file.name}`);
  find(element, ".remove").addEventListener("click", () => remove(card));
  Object.assign(find(element, ".save"), { href: card.url, download: file.name, hidden: !made, ariaLabel: `Save ${file.name}` });
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
  else if (hadFocus) card.whenRemoved();
}

function showWhetherAny() {
  byId("answers").hidden = !cards.length;
  document.body.classList.toggle("has-answers", cards.length > 0);
  if (!cards.length) byId("program").hidden = true;
}

/** Fresh panes, in which nothing is answered yet. @param {Card} card @param {string[]} models @param {Explain} explain */
export function makePanes(card, models, explain) {
  card.done = false;
  card.panes = models.map((model) => ({ model, element: clone("pane-template"), wanted: null }));
  for (const pane of card.panes) preparePane(card, pane, explain);
  const panes = find(card.element, ".panes");
  panes.replaceChildren(...card.panes.map((pane) => pane.element));
  panes.classList.toggle("two", models.length > 1);
  find(card.element, ".compared").hidden = true;
}

/** @param {Card} card @param {Pane} pane @param {Explain} explain */
function preparePane(card, pane, explain) {
  find(pane.element, ".model").textContent = pane.model;
  find(pane.element, ".evidence-toggle").addEventListener("click", () => explain(card, pane, pane.wanted === null ? best(pane) : null));
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
  find(card.element, ".size").textContent = `${naturalWidth} × ${naturalHeight}, ${bytes(card.file.size)}`;
  drawEvidence(pane);
}

/** The browser cannot show the file; the service may well read it. @param {Pane} pane @param {HTMLImageElement} image */
function showBlind(pane, image) {
  image.hidden = true;
  find(pane.element, ".frame").style.setProperty("--aspect", "1.6"); // unknown
  find(pane.element, ".blind").hidden = false;
}
