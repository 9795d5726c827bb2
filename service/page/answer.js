// @ts-check
// One answer, or one problem, in its pane.

import { barsFor } from "./bars.js";
import { clone, find, make, milliseconds, percent } from "./elements.js";

/** @import { Answer, Problem, Told } from "./service.js" */
/** @import { Pane } from "./cards.js" */

const STAGES = { receive: "received", queue: "waited", decode: "decoded", run: "computed" };

/** @param {Pane} pane @param {Told<Answer>} told @param {(label: string | null) => void} explain */
export function showAnswer(pane, told, explain) {
  const { answer } = told;
  pane.told = told;
  find(pane.element, ".model").textContent = answer.model;
  find(pane.element, ".version").textContent = answer.version;
  find(pane.element, ".evidence").hidden = false;
  const bars = barsFor(pane, answer.predictions, explain);
  const request = make("p", "id small soft", answer.request_id ? `Request ${answer.request_id}` : "");
  fillAnswer(pane, labelOf(told), ...noveltyOf(answer), bars, timingOf(told), request);
}

/** @param {Told<Answer>} told */
function labelOf({ answer, url }) {
  const line = make("p", "said-label");
  const best = answer.predictions[0];
  if (answer.label === null) {
    line.classList.add("none");
    const threshold = Number(url.searchParams.get("threshold")); // that of the request: the field may say more by now
    const why = `best is ${percent(answer.score)}, threshold ${percent(threshold)}`;
    line.append("No label ", make("span", "number", why));
  } else line.append(make("bdi", "", best.label), " ", make("span", "number", percent(answer.score)));
  return line;
}

/** @param {Answer} answer @returns {HTMLElement[]} */
function noveltyOf({ novelty, unfamiliar }) {
  if (novelty === null) {
    const unknown = "How unlike the training pictures it is, is not known: there were too few of them.";
    return [make("p", "small soft", unknown)];
  }
  const told = `novelty ${novelty.toFixed(3)} of 1`;
  if (!unfamiliar) return [make("p", "small soft", `Like the training pictures (${told}).`)];
  const note = make("div", "note caution");
  const why = "The model was made for pictures of another kind: do not rely on the label.";
  note.append(make("strong", "", "Unlike the training pictures"), ` (${told}). ${why}`);
  return [note];
}

/** @param {Told<Answer>} told */
function timingOf({ ms, stages }) {
  const known = stages.filter((stage) => stage.name in STAGES);
  const rest = Math.max(0, ms - known.reduce((sum, stage) => sum + stage.ms, 0));
  const nameOf = (/** @type {string} */ name) => STAGES[/** @type {keyof typeof STAGES} */ (name)];
  const named = known.map((stage) => ({ name: nameOf(stage.name), ms: stage.ms }));
  const parts = [...named, { name: "network and the rest", ms: rest }];
  const timing = make("div", "timing small soft");
  const strip = make("div", "stages");
  strip.setAttribute("aria-hidden", "true");
  strip.append(...parts.map(pieceOf));
  const list = make("ul");
  list.append(...parts.map((part) => make("li", "", `${part.name} ${milliseconds(part.ms)}`)));
  timing.append(make("p", "", `Answered in ${milliseconds(ms)}`));
  if (known.length) timing.append(strip, list);
  return timing;
}

/** @param {{ms: number}} part */
function pieceOf({ ms }) {
  const piece = make("i");
  piece.style.setProperty("--share", String(ms));
  return piece;
}

/** @param {Pane} pane @param {Problem} problem @param {() => void} tryAgain */
export function showProblem(pane, problem, tryAgain) {
  fillAnswer(pane, problemNote(problem, tryAgain));
}

/** @param {Problem} problem @param {() => void} tryAgain */
export function problemNote(problem, tryAgain) {
  const note = clone("problem-template");
  find(note, ".title").textContent = problem.status ? `${problem.title} (${problem.status})` : problem.title;
  find(note, ".detail").textContent = problem.detail;
  const id = `Request ${problem.request_id}: what to look for in the service's log.`;
  find(note, ".id").textContent = problem.request_id ? id : "";
  const again = /** @type {HTMLButtonElement} */ (find(note, ".again"));
  again.hidden = !problem.again;
  again.addEventListener("click", tryAgain);
  if (problem.wait_s) countDown(again, problem.wait_s);
  return note;
}

/** @param {Pane} pane @param {...HTMLElement} content */
function fillAnswer(pane, ...content) {
  find(pane.element, ".told").replaceChildren(...content);
  find(pane.element, ".answer").setAttribute("aria-busy", "false");
}

/**
 * Keeps a button closed for as long as the service wants to be left alone.
 * @param {HTMLButtonElement} button @param {number} left_s
 */
function countDown(button, left_s) {
  button.disabled = left_s > 0;
  button.textContent = left_s > 0 ? `Try again in ${left_s} s` : "Try again";
  if (left_s > 0) setTimeout(() => countDown(button, left_s - 1), 1000);
}
