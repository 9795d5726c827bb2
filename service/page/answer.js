// @ts-check
// One answer, or one problem, in its pane.

import { clone, find, make, milliseconds, percent, tell, value } from "./elements.js";

/** @import { Answer, Prediction, Problem, Told } from "./service.js" */
/** @import { Card, Pane } from "./cards.js" */

const STAGES = { receive: "received", queue: "waited", decode: "decoded", run: "computed" };

/** @param {Pane} pane @param {Told<Answer>} told @param {(label: string | null) => void} explain */
export function showAnswer(pane, told, explain) {
  const { answer } = told;
  pane.told = told;
  find(pane.element, ".model").textContent = answer.model;
  find(pane.element, ".version").textContent = answer.version;
  find(pane.element, ".evidence").hidden = false;
  const bars = make("ol", "bars");
  bars.setAttribute("aria-label", "Scores; choose one to see where its evidence lies");
  bars.append(...answer.predictions.map((one) => barOf(pane, one, explain)));
  fillAnswer(pane, labelOf(answer), ...noveltyOf(answer), bars, timingOf(told), make("p", "id small soft", `Request ${answer.request_id}`));
}

/** @param {Answer} answer */
function labelOf(answer) {
  const line = make("p", "said-label");
  const best = answer.predictions[0];
  if (answer.label === null) {
    line.classList.add("none");
    line.append("No label ", make("span", "number", `best is ${percent(answer.score)}, threshold ${percent(Number(value("threshold")))}`));
  } else line.append(make("bdi", "", best.label), " ", make("span", "number", percent(answer.score)));
  return line;
}

/** @param {Answer} answer @returns {HTMLElement[]} */
function noveltyOf({ novelty, unfamiliar }) {
  if (novelty === null) return [make("p", "small soft", "How unlike the training pictures it is, is not known: there were too few of them.")];
  const told = `novelty ${novelty.toFixed(3)} of 1`;
  if (!unfamiliar) return [make("p", "small soft", `Like the training pictures (${told}).`)];
  const note = make("div", "note caution");
  note.append(make("strong", "", "Unlike the training pictures"), ` (${told}). The model was made for pictures of another kind: do not rely on the label.`);
  return [note];
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

/** @param {Told<Answer>} told */
function timingOf({ ms, stages }) {
  const known = stages.filter((stage) => stage.name in STAGES);
  const rest = Math.max(0, ms - known.reduce((sum, stage) => sum + stage.ms, 0));
  const parts = [...known.map((stage) => ({ name: STAGES[/** @type {keyof typeof STAGES} */ (stage.name)], ms: stage.ms })), { name: "network and the rest", ms: rest }];
  const timing = make("div", "timing small soft");
  const strip = make("div", "stages");
  strip.setAttribute("aria-hidden", "true");
  strip.append(...parts.map((part) => { const piece = make("i"); piece.style.setProperty("--share", String(part.ms)); return piece; }));
  const list = make("ul");
  list.append(...parts.map((part) => make("li", "", `${part.name} ${milliseconds(part.ms)}`)));
  timing.append(make("p", "", `Answered in ${milliseconds(ms)}`));
  if (known.length) timing.append(strip, list);
  return timing;
}

/** @param {Pane} pane @returns {HTMLElement[]} */
export function barsOf(pane) {
  return [...pane.element.querySelectorAll(".bar")].map((bar) => /** @type {HTMLElement} */ (bar));
}

/** In words, for who does not see it. @param {Card} card */
export function announce(card) {
  const parts = card.panes.map(({ told, model, element }) => {
    if (!told) return `${model}: ${element.querySelector(".problem .title")?.textContent ?? "no answer"}`;
    const label = told.answer.label === null ? "no label" : `${told.answer.label}, ${percent(told.answer.score)}`;
    return `${card.panes.length > 1 ? `${model}: ` : ""}${label}${told.answer.unfamiliar ? ", unlike the training pictures" : ""}`;
  });
  tell(`${card.file.name}: ${parts.join("; ")}`);
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
  find(note, ".id").textContent = problem.request_id ? `Request ${problem.request_id}: what to look for in the service's log.` : "";
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

/** Keeps a button closed for as long as the service wants to be left alone. @param {HTMLButtonElement} button @param {number} left_s */
function countDown(button, left_s) {
  button.disabled = left_s > 0;
  button.textContent = left_s > 0 ? `Try again in ${left_s} s` : "Try again";
  if (left_s > 0) setTimeout(() => countDown(button, left_s - 1), 1000);
}
