// @ts-check
// What is served: looked at again and again, told at the top of the page, and chosen from.

import { byId, bytes, find, notice, percent, value } from "./elements.js";
import { get, service } from "./service.js";

/** @import { Model } from "./service.js" */

const REASONS = {
  draining: "The service is shutting down: it answers what it has, and takes nothing new.",
  "loading models": "Models are being loaded…",
  "no model is served": "No model is served yet. Train one with python -m trainer train; this page notices it.",
};
const LOOK_AGAIN_MS = { ready: 20_000, otherwise: 2_000 };

/** What is served is asked for with the key, whose rate it counts against; health needs none. */
const MODELS_KEPT_MS = 300_000;

/** @typedef {{whenReady: () => void, whenChosen: () => void}} Callbacks `whenChosen`: another model than before */
/** @type {Callbacks} */
let callbacks;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextLook;
let healthThen = "";
let modelsLookedAt = -Infinity;

/** Looks whether the service is ready, and now and then what it serves. @param {Callbacks} how */
export function keepLooking(how) {
  callbacks = how;
  service.whenKeyIsWanted = wantKey;
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
    const health = await get("health/ready");
    await lookAtModels(JSON.stringify(health.body));
    service.ready = health.ok;
    const { reason, detail } = health.body;
    showState(health.ok ? "Ready" : whyNot(reason ?? detail ?? "the service does not say why"));
  } catch {
    service.ready = false;
    showState(`${navigator.onLine ? "The service cannot be reached" : "This device is offline"}. Looking again…`);
  }
  if (service.ready && !wasReady) callbacks.whenReady();
}

/** @param {string} health what is told of it: where that is new, so may be what is served */
async function lookAtModels(health) {
  if (health === healthThen && performance.now() - modelsLookedAt < MODELS_KEPT_MS) return;
  const served = await get("models");
  if (served.status === 401) wantKey();
  if (served.ok || served.status === 429) byId("key-form").hidden = true; // 429 is said to a key that is known
  if (!served.ok) return;
  healthThen = health;
  modelsLookedAt = performance.now();
  takeOver(served.body);
}

/** Something has shown that what is served may not be what was seen last. */
export function lookAtModelsAnew() {
  modelsLookedAt = -Infinity;
  return lookAtOnce();
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
  const chosen = ["model", "beside"].map(value);
  const model = fill("model", served.models, []);
  fill("beside", served.models, [new Option("nothing", "")]);
  const ready = served.models.filter((one) => one.ready);
  if (!model.value) model.value = (ready.find((one) => one.name === served.default) ?? ready[0])?.name ?? "";
  showFacts();
  tellWhatIsGone(chosen.filter((name) => name && !served.models.some((one) => one.name === name)));
}

/** @param {string[]} names of models that were chosen */
function tellWhatIsGone(names) {
  if (!names.length) return;
  notice(`No longer served: ${names.join(", ")}. The pictures are asked about anew.`);
  callbacks.whenChosen();
}

/**
 * Puts models into a list and keeps what was chosen.
 * @param {string} id @param {Model[]} models @param {HTMLOptionElement[]} first
 */
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
  const { accuracy, accuracy_interval } = model?.metrics ?? {};
  if (model?.labels) facts.push(`${model.name} ${model.version}`, `${model.labels.length} labels`);
  if (model?.labels) facts.push(`backbone ${model.backbone}`);
  if (typeof accuracy === "number") facts.push(`accuracy ${percent(accuracy)}${interval(accuracy_interval)}`);
  if (service.models.length > 1 && !service.default) facts.push("no model is the default: programs must name one");
  if (model?.last_reload_error) facts.push(`a newer version could not be loaded: ${model.last_reload_error.error}`);
  byId("facts").textContent = facts.join(" · ");
}

/** @param {[number, number] | null | undefined} found */
function interval(found) {
  return found ? ` (95 % interval ${percent(found[0]).replace(" %", "")} to ${percent(found[1])})` : "";
}

function wantKey() {
  const form = byId("key-form");
  byId("models-link").hidden = true; // a link carries no key
  find(form, "#key-said").textContent = service.key ? "The key was not accepted." : "";
  if (!form.hidden) return;
  form.hidden = false;
  byId("key").focus();
}

/** @param {Event} event */
export async function useKey(event) {
  event.preventDefault();
  service.key = value("key");
  await lookAtModelsAnew();
  if (!byId("key-form").hidden) return;
  byId("choose").focus();
  callbacks.whenReady();
}
