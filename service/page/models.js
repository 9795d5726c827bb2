// @ts-check
// The models that are served: chosen from, and what is known of the one that is chosen.

import { byId, bytes, notice, percent, value } from "./elements.js";
import { service } from "./service.js";

/** @import { Model } from "./service.js" */

/**
 * @param {{models: Model[], default: string | null, max_upload_bytes: number}} served as GET /models tells it
 * @param {() => void} whenChosen called where another model than before is chosen now
 */
export function takeOver(served, whenChosen) {
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
  const gone = chosen.filter((name) => name && !served.models.some((one) => one.name === name));
  if (!gone.length) return;
  notice(`No longer served: ${gone.join(", ")}. The pictures are asked about anew.`);
  whenChosen();
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
