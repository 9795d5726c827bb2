// @ts-check
// The scores of an answer as bars; the first of many, and the rest for who wants them.

import { clone, find, make, percent } from "./elements.js";

/** @import { Prediction } from "./service.js" */
/** @import { Pane } from "./cards.js" */

const SHOWN_AT_ONCE = 20;

/** @param {Pane} pane @param {Prediction[]} predictions @param {(label: string | null) => void} explain */
export function barsFor(pane, predictions, explain) {
  const all = make("div", "bars-all");
  const list = make("ol", "bars");
  list.setAttribute("aria-label", "Scores; choose one to see where its evidence lies");
  const bars = predictions.map((one) => barOf(pane, one, explain));
  list.append(...bars);
  all.append(list);
  const more = bars.slice(SHOWN_AT_ONCE);
  if (more.length) all.append(moreButton(more));
  return all;
}

/** @param {HTMLElement[]} more bars that are shown at a click */
function moreButton(more) {
  for (const bar of more) bar.hidden = true;
  const button = make("button", "button quiet more", `Show ${more.length} more`);
  button.setAttribute("type", "button");
  button.addEventListener("click", () => {
    for (const bar of more) bar.hidden = false;
    find(more[0], ".bar").focus(); // where the button was
    button.remove();
  });
  return button;
}

/** @param {Pane} pane @param {Prediction} prediction @param {(label: string | null) => void} explain */
function barOf(pane, { label, score }, explain) {
  const item = clone("bar-template");
  const button = find(item, ".bar");
  button.dataset.label = label;
  find(item, ".bar-label").textContent = label;
  find(item, ".number").textContent = percent(score);
  find(item, ".track i").style.setProperty("--share", String(score));
  button.addEventListener("click", () => explain(pane.wanted === label ? null : label));
  return item;
}

/** @param {Pane} pane @returns {HTMLElement[]} */
export function barsOf(pane) {
  return [...pane.element.querySelectorAll(".bar")].map((bar) => /** @type {HTMLElement} */ (bar));
}
