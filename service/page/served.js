// @ts-check
// What is served: looked at again and again, told at the top of the page, and chosen from.

import { byId, bytes, find, percent, value } from "./elements.js";
import { get, service } from "./service.js";

/** @import { Model } from "./service.js" */

const REASONS = {
  draining: "The service is shutting down: it answers what it has, and takes nothing new.",
  "loading models": "Models are being loaded…",
  "no model is served": "No model is served yet. Train one with python -m trainer train; this page notices it.",
};
const LOOK_AGAIN_MS = { ready: 20_000, otherwise: 2_000 };

let whenReady = () => {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextLook;

/** Looks whether the service is ready and what it serves, again and again while the page is seen. @param {{whenReady: () => void}} how */
export function keepLooking(how) {
  whenReady = how.whenReady;
  for (const event of ["online", "offline"]) addEventListener(event, lookAtOnce);
  document.addEventListener("visibilitychange", lookAtOnce);
  lookAtOnce();
}

export async function lookAtOnce() {
  clearTimeout(nextLook);
  if (!document.hidden) await look();
  clearTimeout(nextLook); // another look may have ended meanwhile
  nextLook = setTimeout(lookAtOnce, service.ready ? LOOK_AGAIN_MS.ready : LOOK_AGAIN_MS.otherwise);
}

async function look() {
  const wasReady = service.ready;
  try {
    const [health, served] = await Promise.all([get("health/ready"), get("models")]);
    wantKey(served.status === 401);
    if (served.ok) takeOver(served.body);
    service.ready = health.ok;
    showState(health.ok ? "Ready" : whyNot(health.body.reason ?? health.body.detail ?? "the service does not say why"));
  } catch {
    service.ready = false;
    showState(navigator.onLine ? "The service cannot be reached. Looking again…" : "This device is offline. Looking again…");
  }
  if (service.ready && !wasReady) whenReady();
}

/** @param {string} reason as /health/ready tells it */
function whyNot(reason) {
  return REASONS[/** @type {keyof typeof REASONS} */ (reason)] ?? `Not ready: ${reason}`;
}

/** @param {{models: Model[], default: string | null, max_upload_bytes: number}} served */
function takeOver(served) {
  service.models = served.models;
  service.default = served.default;
  service.maxUploadBytes = served.max_upload_bytes ?? Infinity;
  byId("accepted").textContent = `JPEG, PNG, WebP, BMP or GIF, up to ${bytes(service.maxUploadBytes)}`;
  const model = fill("model", served.models, []);
  fill("beside", served.models, [new Option("nothing", "")]);
  if (!model.value) model.value = (served.models.find((one) => one.name === served.default && one.ready) ?? served.models.find((one) => one.ready))?.name ?? "";
  showFacts();
}

/** Puts models into a list and keeps what was chosen. @param {string} id @param {Model[]} models @param {HTMLOptionElement[]} first */
function fill(id, models, first) {
  const select = /** @type {HTMLSelectElement} */ (byId(id));
  const chosen = select.value;
  const options = models.map((one) => new Option(one.ready ? one.name : `${one.name} (not loaded)`, one.name));
  options.forEach((option, index) => (option.disabled = !models[index].ready));
  const wanted = [...first, ...options];
  if (wanted.map(asText).join() !== [...select.options].map(asText).join()) {
    select.replaceChildren(...wanted);
    select.value = chosen;
    if (select.selectedIndex < 0 && first.length) select.selectedIndex = 0;
  }
  select.disabled = models.length < 1 + first.length;
  return select;
}

/** @param {HTMLOptionElement} option */
function asText(option) {
  return `${option.text}\n${option.value}\n${option.disabled}`;
}

/** @param {string} text */
function showState(text) {
  const element = byId("state");
  if (element.textContent !== text) element.textContent = text; // a live region: said once
  element.classList.toggle("ready", service.ready);
}

export function showFacts() {
  const model = service.models.find((one) => one.name === value("model"));
  const facts = [];
  if (model?.labels) facts.push(`${model.name} ${model.version}`, `${model.labels.length} labels`, `backbone ${model.backbone}`);
  if (typeof model?.metrics?.accuracy === "number") facts.push(`accuracy ${percent(model.metrics.accuracy)}${interval(model.metrics.accuracy_interval)}`);
  if (service.models.length > 1 && !service.default) facts.push("no model is the default: programs must name one");
  if (model?.last_reload_error) facts.push(`a newer version could not be loaded: ${model.last_reload_error.error}`);
  byId("facts").textContent = facts.join(" · ");
}

/** @param {[number, number] | null | undefined} found */
function interval(found) {
  return found ? ` (95 % interval ${percent(found[0]).replace(" %", "")} to ${percent(found[1])})` : "";
}

/** @param {boolean} wanted */
export function wantKey(wanted) {
  const form = byId("key-form");
  find(form, "#key-said").textContent = service.key ? "The key was not accepted." : "";
  if (form.hidden === !wanted) return;
  form.hidden = !wanted;
  if (wanted) byId("key").focus();
}

/** @param {Event} event */
export async function useKey(event) {
  event.preventDefault();
  service.key = value("key");
  await lookAtOnce();
  if (byId("key-form").hidden) byId("choose").focus();
  whenReady();
}
