// @ts-check
// What came of the pictures, for who does not see it: of one its answer, of many how many are through.

import { cards } from "./cards.js";
import { percent, tell } from "./elements.js";

/** @import { Card, Pane } from "./cards.js" */

const SAID_EVERY = 10;

/** How many are through since none waited. */
let through = 0;

/** @param {Card} card that has its answers, or problems instead */
export function announce(card) {
  card.settled = true;
  through += 1;
  const waiting = cards.filter((one) => !one.settled).length;
  if (waiting + through === 1) tell(inWords(card));
  else if (!waiting) tell(`All ${through} pictures are through.`);
  else if (through % SAID_EVERY === 0) tell(`${through} of ${through + waiting} pictures are through.`);
  if (!waiting) through = 0;
}

/** @param {Card} card */
function inWords(card) {
  return `${card.file.name}: ${card.panes.map((pane) => paneInWords(pane, card.panes.length > 1)).join("; ")}`;
}

/** @param {Pane} pane @param {boolean} named */
function paneInWords({ told, model, element }, named) {
  if (!told) return `${model}: ${element.querySelector(".problem .title")?.textContent ?? "no answer"}`;
  const label = told.answer.label === null ? "no label" : `${told.answer.label}, ${percent(told.answer.score)}`;
  return `${named ? `${model}: ` : ""}${label}${told.answer.unfamiliar ? ", unlike the training pictures" : ""}`;
}
