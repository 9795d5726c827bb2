// @ts-check
// Where in a picture the evidence lies, in words.

import { isPart } from "./painting.js";

/** @import { Evidence } from "./service.js" */

/** @typedef {{value: number, where: string}} Cell */

const METHODS = {
  "class-activation": "Read from the last layer of the network (class activation).",
  occlusion: "Measured by covering one part of the picture after the other (occlusion).",
};

/** A sentence in which the label is once, in quotes. @param {Evidence} evidence */
export function evidenceInWords({ label, heat, box, method }) {
  const cells = heat.flatMap((row, y) =>
    row.map((value, x) => ({ value, where: whereIn(box, (x + 0.5) / row.length, (y + 0.5) / heat.length) })));
  const least = cells.reduce((a, b) => (b.value < a.value ? b : a));
  const most = cells.reduce((a, b) => (b.value > a.value ? b : a));
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

/**
 * A place in the picture, of a place in the part that the model saw.
 * @param {Evidence["box"]} box @param {number} x @param {number} y
 */
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
