// @ts-check
// Where the evidence for a label lies: asked for, painted over the picture, and said in words.

import { barsOf, problemNote } from "./answer.js";
import { find } from "./elements.js";
import { isPart, paint } from "./painting.js";
import { addressOf, send } from "./service.js";

/** @import { Evidence, Problem, Told } from "./service.js" */
/** @import { Card, Pane } from "./cards.js" */

const METHODS = {
  "class-activation": "Read from the last layer of the network (class activation).",
  occlusion: "Measured by covering one part of the picture after the other (occlusion).",
};

/** @param {Card} card @param {Pane} pane @param {string | null} label whose evidence is shown; null for none */
export async function explain(card, pane, label) {
  pane.wanted = label;
  pane.evidence = undefined;
  showWanted(pane);
  if (label === null) return drawEvidence(pane);
  const said = find(pane.element, ".evidence-said");
  said.textContent = "Looking…";
  const { signal } = card.asking;
  /** @type {Told<Evidence> | Problem} */
  const told = await send(addressOf("explain", pane.model, new URLSearchParams({ label })), card.file, signal);
  if (signal.aborted || pane.wanted !== label) return;
  if ("answer" in told) pane.evidence = told.answer;
  else said.replaceChildren(problemNote(told, () => explain(card, pane, label)));
  drawEvidence(pane);
}

/** @param {Pane} pane */
function showWanted(pane) {
  const { wanted } = pane;
  const toggle = find(pane.element, ".evidence-toggle");
  toggle.setAttribute("aria-pressed", String(wanted !== null));
  find(pane.element, ".evidence-parts").hidden = wanted === null;
  for (const bar of barsOf(pane)) bar.setAttribute("aria-pressed", String(bar.dataset.label === wanted));
}

/** @param {Pane} pane */
export function drawEvidence(pane) {
  const canvas = /** @type {HTMLCanvasElement} */ (find(pane.element, "canvas"));
  const frame = find(pane.element, ".frame");
  const { evidence } = pane;
  canvas.hidden = !evidence;
  frame.classList.toggle("heated", Boolean(evidence));
  if (!evidence) return;
  const aspect = Number(getComputedStyle(frame).getPropertyValue("--aspect")) || 1;
  Object.assign(canvas, { width: Math.round(800 * Math.min(1, aspect)), height: Math.round(800 / Math.max(1, aspect)) });
  const strength = Number(/** @type {HTMLInputElement} */ (find(pane.element, ".strength input")).value) / 100;
  paint(canvas, evidence, strength);
  const words = evidenceInWords(evidence);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  const said = find(pane.element, ".evidence-said");
  if (said.textContent !== words) said.textContent = words;
}

/** @typedef {{value: number, where: string}} Cell */

/** @param {Evidence} evidence */
function evidenceInWords({ label, heat, box, method }) {
  const cells = heat.flatMap((row, y) => row.map((value, x) => ({ value, where: whereIn(box, (x + 0.5) / row.length, (y + 0.5) / heat.length) })));
  const [least, most] = [cells.reduce((a, b) => (b.value < a.value ? b : a)), cells.reduce((a, b) => (b.value > a.value ? b : a))];
  const part = isPart(box) ? " The dashed frame is the part that the model saw." : "";
  if (most.value <= 0 && least.value >= 0) return `No part of the picture speaks for “${label}” or against it.${part}`;
  return `${forAndAgainst(label, most, least)}. ${METHODS[/** @type {keyof typeof METHODS} */ (method)] ?? ""}${part}`;
}

/** @param {string} label @param {Cell} most @param {Cell} least */
function forAndAgainst(label, most, least) {
  const pro = most.value > 0 ? `Most speaks for “${label}” ${most.where}` : `Nothing speaks for “${label}”`;
  if (least.value > -0.05) return `${pro}; nothing much speaks against it`;
  const ratio = Math.round((100 * -least.value) / most.value);
  const strength = most.value <= 0 ? "" : ratio === 100 ? ", as strongly" : `, ${ratio} % as strongly`;
  return `${pro}; most against it ${least.where}${strength}`;
}

/** A place in the picture, of a place in the part that the model saw. @param {Evidence["box"]} box @param {number} x @param {number} y */
function whereIn(box, x, y) {
  return placeName(box.left + x * (box.right - box.left), box.top + y * (box.bottom - box.top));
}

/** @param {number} x 0 to 1 @param {number} y 0 to 1 */
function placeName(x, y) {
  const [row, column] = [["at the top", "", "at the bottom"][third(y)], ["left", "", "right"][third(x)]];
  if (!row && !column) return "in the middle";
  return row && column ? `${row} ${column}` : row || `at the ${column}`;
}

/** @param {number} share */
function third(share) {
  return Math.min(2, Math.max(0, Math.floor(share * 3)));
}
