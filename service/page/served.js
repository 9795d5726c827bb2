// @ts-check
// What is served: looked at again and again, and told at the top of the page; and the key for it.

import { byId, find, value } from "./elements.js";
import { takeOver } from "./models.js";
import { get, service } from "./service.js";

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
let looks = 0;
let lookShown = 0;
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

/** Looks may overlap, and an earlier one may be answered later: none is shown after one that began later. */
async function look() {
  const isNews = begun();
  try {
    const health = await get("health/ready");
    await lookAtModels(JSON.stringify(health.body));
    const { reason, detail } = health.body;
    const text = health.ok ? "Ready" : whyNot(reason ?? detail ?? "the service does not say why");
    if (isNews()) showReadiness(health.ok, text);
  } catch {
    const where = navigator.onLine ? "The service cannot be reached" : "This device is offline";
    if (isNews()) showReadiness(false, `${where}. Looking again…`);
  }
}

/** Begins a look, and gives what says of it, once it is answered, whether it is to be shown. */
function begun() {
  const mine = ++looks;
  return () => {
    if (mine < lookShown) return false;
    lookShown = mine;
    return true;
  };
}

/** @param {boolean} ready @param {string} text */
function showReadiness(ready, text) {
  const wasReady = service.ready;
  service.ready = ready;
  showState(text);
  if (ready && !wasReady) callbacks.whenReady();
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
  takeOver(served.body, callbacks.whenChosen);
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

/** @param {string} text */
function showState(text) {
  const element = byId("state");
  if (element.textContent !== text) element.textContent = text; // a live region: said once
  element.classList.toggle("ready", service.ready);
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
