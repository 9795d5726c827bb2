// @ts-check
// Two models about one picture: what they agree on, and where they differ.

import { barsOf } from "./bars.js";
import { find, make, points } from "./elements.js";
import { service } from "./service.js";

/** @import { Answer } from "./service.js" */
/** @import { Card, Pane } from "./cards.js" */

/** @param {Card} card */
export function showComparison(card) {
  const [first, second] = card.panes.map((pane) => pane.told?.answer);
  const line = find(card.element, ".compared");
  line.hidden = !first || !second;
  if (!first || !second) return;
  const same = first.label === second.label;
  line.className = `compared ${same ? "agree" : "differ"}`;
  const strong = make("strong");
  if (same) strong.append("Both say ", ...said(first));
  else strong.append(...saidBy(first), ", ", ...saidBy(second));
  line.replaceChildren(strong);
  markDifferences(card.panes[1], first);
  markOnlyHere(card.panes[0], second);
}

/** @param {Answer} answer */
function saidBy(answer) {
  return [make("bdi", "", answer.model), " says ", ...said(answer)];
}

/** @param {Answer} answer */
function said({ label }) {
  return label === null ? ["no label"] : ["“", make("bdi", "", label), "”"];
}

/** @param {Pane} pane @param {Answer} other */
function markDifferences(pane, other) {
  markOnlyHere(pane, other);
  for (const one of pane.told?.answer.predictions ?? []) {
    const score = other.predictions.find((each) => each.label === one.label)?.score;
    if (score !== undefined) markBar(pane, one.label, points(one.score - score), Math.abs(one.score - score) >= 0.1);
  }
}

/** @param {Pane} pane @param {Answer} other */
function markOnlyHere(pane, other) {
  const served = service.models.find((one) => one.name === other.model)?.labels;
  const labels = new Set(served ?? other.predictions.map((one) => one.label));
  for (const { label } of pane.told?.answer.predictions ?? []) {
    if (!labels.has(label)) markBar(pane, label, "only here", true);
  }
}

/** @param {Pane} pane @param {string} label @param {string} text @param {boolean} much */
function markBar(pane, label, text, much) {
  const mark = barsOf(pane).find((bar) => bar.dataset.label === label)?.querySelector(".difference");
  mark?.replaceChildren(text);
  mark?.classList.toggle("much", much);
}
