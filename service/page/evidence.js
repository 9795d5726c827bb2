// @ts-check
// Where the evidence for a label lies: asked for, painted over the picture, and said in words.

import { problemNote } from "./answer.js";
import { barsOf } from "./bars.js";
import { find, make, tell } from "./elements.js";
import { paint } from "./painting.js";
import { evidenceInWords } from "./places.js";
import { addressOf, send } from "./service.js";
import { inTurn } from "./turn.js";

/** @import { Evidence, Problem, Told } from "./service.js" */
/** @import { Card, Pane } from "./cards.js" */

/** @param {Card} card @param {Pane} pane @param {string | null} label whose evidence is shown; null for none */
export async function explain(card, pane, label) {
  pane.explaining.abort(); // who has clicked on does not want the one before
  pane.explaining = new AbortController();
  pane.wanted = label;
  pane.evidence = undefined;
  showWanted(pane);
  drawEvidence(pane);
  if (label === null) return;
  saidOf(pane).textContent = "Looking…";
  const signal = AbortSignal.any([card.asking.signal, pane.explaining.signal]);
  const told = await inTurn(() => (signal.aborted ? null : askWhere(card, pane, label, signal)), { next: true });
  if (told && !signal.aborted) showEvidence(card, pane, label, told);
}

/**
 * @param {Card} card @param {Pane} pane @param {string} label @param {AbortSignal} signal
 * @returns {Promise<Told<Evidence> | Problem>}
 */
function askWhere(card, pane, label, signal) {
  return send(addressOf("explain", pane.model, new URLSearchParams({ label })), card.file, signal);
}

/** @param {Card} card @param {Pane} pane @param {string} label @param {Told<Evidence> | Problem} told */
function showEvidence(card, pane, label, told) {
  if (!("answer" in told)) return showNone(pane, told, () => explain(card, pane, label));
  const [here, there] = [pane.told?.answer.version, told.answer.version];
  if (here !== there) return showNone(pane, replacedMeanwhile(here, there), () => card.askAnew(card), "Ask anew");
  pane.evidence = told.answer;
  const words = evidenceInWords(told.answer);
  saidOf(pane).replaceChildren(...withLabel(words, label));
  const canvas = find(pane.element, "canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  drawEvidence(pane);
  tell(words);
}

/**
 * A problem instead of evidence. It lies beside what is read out: only its title is.
 * @param {Pane} pane @param {Problem} problem @param {() => void} tryAgain @param {string} [how] what its button says
 */
function showNone(pane, problem, tryAgain, how) {
  const note = problemNote(problem, () => {
    find(pane.element, ".evidence-toggle").focus(); // the button that has the focus goes away
    tryAgain();
  });
  if (how) find(note, ".again").textContent = how;
  saidOf(pane).textContent = "";
  find(pane.element, ".evidence-problem").replaceChildren(note);
  tell(problem.title);
}

/** @param {string | undefined} here @param {string} there versions @returns {Problem} */
function replacedMeanwhile(here, there) {
  const detail = `The answer is of version ${here}, and version ${there} would tell where the evidence lies.`;
  return { title: "The model was replaced meanwhile", detail, again: true };
}

/** @param {Pane} pane */
function showWanted(pane) {
  const { wanted } = pane;
  const toggle = find(pane.element, ".evidence-toggle");
  toggle.setAttribute("aria-pressed", String(wanted !== null));
  find(pane.element, ".evidence-parts").hidden = wanted === null;
  find(pane.element, ".evidence-problem").replaceChildren();
  for (const bar of barsOf(pane)) bar.setAttribute("aria-pressed", String(bar.dataset.label === wanted));
}

/** @param {Pane} pane */
export function drawEvidence(pane) {
  const canvas = /** @type {HTMLCanvasElement} */ (find(pane.element, "canvas"));
  const frame = find(pane.element, ".frame");
  const { evidence } = pane;
  canvas.hidden = find(pane.element, ".evidence-scale").hidden = !evidence;
  frame.classList.toggle("heated", Boolean(evidence));
  if (!evidence) return;
  const aspect = Number(getComputedStyle(frame).getPropertyValue("--aspect")) || 1;
  canvas.width = Math.round(800 * Math.min(1, aspect));
  canvas.height = Math.round(800 / Math.max(1, aspect));
  paint(canvas, evidence, Number(/** @type {HTMLInputElement} */ (find(pane.element, ".strength input")).value) / 100);
}

/** @param {Pane} pane */
function saidOf(pane) {
  return find(pane.element, ".evidence-said");
}

/**
 * The label by itself: whichever way it is written, the rest is read as it stands.
 * @param {string} words in which it is @param {string} label
 */
function withLabel(words, label) {
  const begin = words.indexOf(`“${label}”`) + 1;
  return [words.slice(0, begin), make("bdi", "", label), words.slice(begin + label.length)];
}
