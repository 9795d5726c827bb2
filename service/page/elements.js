// @ts-check
// Elements of the page, and numbers in words.

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string} id of an input or a list */
export function value(id) {
  return /** @type {HTMLInputElement} */ (byId(id)).value;
}

/** @param {Element} element @param {string} selector @returns {HTMLElement} */
export function find(element, selector) {
  return /** @type {HTMLElement} */ (element.querySelector(selector));
}

/** @param {string} id @returns {HTMLElement} */
export function clone(id) {
  const template = /** @type {HTMLTemplateElement} */ (byId(id));
  const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  return /** @type {HTMLElement} */ (copy.firstElementChild);
}

/** @param {string} tag @param {string} className @param {string} text @returns {HTMLElement} */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

/** @param {number} width @param {number} height */
export function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** @param {HTMLCanvasElement} canvas */
export function brushOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/** @param {string} text for those who do not see what changes */
export function tell(text) {
  byId("said").textContent = text;
}

/** @param {string} text for everybody */
export function notice(text) {
  if (text) tell(text);
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

/** Never rounded to all or nothing. @param {number} share 0 to 1 */
export function percent(share) {
  if (share < 1 && share >= 0.9995) return "over 99.9 %";
  if (share > 0 && share < 0.0005) return "under 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** @param {number} difference */
export function points(difference) {
  const found = (100 * difference).toFixed(1);
  return `${difference > 0 ? "+" : ""}${found.replace("-", "−")} points`;
}

/** @param {number} ms */
export function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** @param {number} count */
export function bytes(count) {
  const [unit, size] =
    count >= 1024 ** 2 ? ["MiB", count / 1024 ** 2] : count >= 1024 ? ["KiB", count / 1024] : ["bytes", count];
  return `${Number.isFinite(size) ? +size.toFixed(1) : "any"} ${unit}`;
}

export function stamp() {
  return new Date().toISOString().slice(0, 19).replaceAll(/[T:]/g, "-");
}
