// @ts-check
// What goes over the wire: where things are, one request at a time, and what came of it.

/**
 * @typedef {{label: string, score: number}} Prediction
 * @typedef {{label: string | null, score: number, predictions: Prediction[], novelty: number | null,
 *   unfamiliar: boolean | null, model: string, version: string, request_id: string}} Answer
 * @typedef {{label: string, score: number, method: string, heat: number[][],
 *   box: {left: number, top: number, right: number, bottom: number}}} Evidence
 * @typedef {{name: string, ms: number}} Stage
 * @typedef {{title: string, detail: string, request_id?: string, status?: number, wait_s?: number, again: boolean,
 *   unreachable?: boolean, waits?: boolean}} Problem
 *   `waits`: it is over when the service is ready; the page itself then asks again, `wait_s` later at the soonest
 * @typedef {{name: string, ready: boolean, version: string | null, labels: string[] | null, backbone: string | null,
 *   metrics: Record<string, any> | null, last_reload_error: {version: string | null, error: string} | null}} Model
 */
/** @template T @typedef {{answer: T, url: URL, ms: number, stages: Stage[]}} Told `url`: what was asked */

import { bytes } from "./elements.js";

/** What is known of the service. */
export const service = {
  /** @type {Model[]} */ models: [],
  /** @type {string | null} */ default: null,
  maxUploadBytes: Infinity,
  ready: false,
  key: "", // in memory alone: gone with the page
  whenKeyIsWanted: () => {}, // called for each answer that says so
};

/** Longer than the service lets a request last: who answers later than that has forgotten it. */
const PATIENCE_MS = 60_000;

/** @param {string} path */
export async function get(path) {
  const headers = { Accept: "application/json", ...keyHeader() };
  return inTime(async (signal) => {
    const response = await fetch(address(path), { headers, cache: "no-store", signal });
    return { ok: response.ok, status: response.status, body: await response.json() };
  });
}

/**
 * One request: the file as it is, in a form.
 * @template T
 * @param {URL} url @param {File} file @param {AbortSignal} cancelled
 * @returns {Promise<Told<T> | Problem>}
 */
export async function send(url, file, cancelled) {
  const body = new FormData();
  body.append("file", file);
  const began = performance.now();
  let response, text;
  try {
    [response, text] = await inTime(async (signal) => {
      const found = await fetch(url, { method: "POST", headers: keyHeader(), body, signal });
      return [found, await found.text()];
    }, cancelled);
  } catch (error) {
    return error === LATE ? noAnswer() : unreachable();
  }
  const ms = performance.now() - began;
  if (response.status === 401) service.whenKeyIsWanted();
  const said = parsed(text);
  if (!response.ok) return problemOf(response, said);
  if (!FORMS[/** @type {keyof typeof FORMS} */ (url.pathname.split("/").at(-1))](said)) return strange(response);
  return { answer: said, url, ms, stages: stagesOf(response.headers.get("Server-Timing") ?? "") };
}

const LATE = new Error("nothing was answered in time");

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} work @param {AbortSignal} [cancelled]
 * @returns {Promise<T>} fails with LATE where patience ends
 */
async function inTime(work, cancelled) {
  const ending = new AbortController();
  const end = () => ending.abort();
  const timer = setTimeout(() => ending.abort(LATE), PATIENCE_MS);
  if (cancelled?.aborted) end();
  cancelled?.addEventListener("abort", end);
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    cancelled?.removeEventListener("abort", end);
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What an answer to each verb must have to be shown. */
const FORMS = {
  predict: (/** @type {any} */ said) =>
    said?.predictions?.length > 0
    && said.predictions.every((/** @type {any} */ one) => isText(one?.label) && isNumber(one.score))
    && (said.label === null || isText(said.label)) && isNumber(said.score)
    && (said.novelty === null || isNumber(said.novelty)) && isText(said.model) && isText(said.version),
  explain: (/** @type {any} */ said) =>
    isText(said?.label) && ["left", "top", "right", "bottom"].every((side) => isNumber(said.box?.[side]))
    && said.heat?.length > 0 && said.heat.every((/** @type {any} */ row) => row?.length > 0 && row.every(isNumber)),
};

/** @param {unknown} thing */
function isText(thing) {
  return typeof thing === "string";
}

/** @param {unknown} thing */
function isNumber(thing) {
  return typeof thing === "number";
}

/** What need not be sent to be known. @param {File} file @returns {Problem | null} */
export function whyNotSent(file) {
  const isPicture = !file.type || file.type.startsWith("image/") || file.type === "application/octet-stream";
  if (!isPicture) {
    const detail = `${file.name} is ${file.type}; it was not sent. Accepted are JPEG, PNG, WebP, BMP and GIF.`;
    return { title: "This is no picture", detail, again: false };
  }
  if (file.size > service.maxUploadBytes) {
    const sizes = `It has ${bytes(file.size)}, the service takes ${bytes(service.maxUploadBytes)}; it was not sent.`;
    const detail = `${sizes} Make the picture smaller, or raise --max-upload.`;
    return { title: "The file is too large", detail, again: false };
  }
  return null;
}

/** Kinds of problems that end when the service is ready. */
const OVER_WHEN_READY = ["no-model", "model-not-loaded", "draining", "key-missing", "key-unknown"];

/** @param {Response} response @param {any} said @returns {Problem} */
function problemOf(response, said) {
  if (!isText(said?.title) || !isText(said.detail)) return strange(response);
  const { title, detail, type } = said;
  const request_id = isText(said.request_id) ? said.request_id : undefined;
  const waits = OVER_WHEN_READY.includes(String(type).replace("urn:finial:problem:", ""));
  return { title, detail, request_id, waits, ...whatOf(response) };
}

/** @param {Response} response @returns {Problem} */
function strange(response) {
  const { status } = response;
  const what = `The answer is none of the service's (status ${status})`;
  const detail = `${what}: something in between, a proxy perhaps, gave it.`;
  const waits = [502, 503, 504].includes(status); // what proxies say while there is no service behind them
  const found = { title: "Somebody else answered", detail, waits, ...whatOf(response) };
  return response.ok ? { ...found, again: true } : found;
}

/** @param {Response} response */
function whatOf({ status, headers }) {
  const wait_s = Number(headers.get("Retry-After")) || 0;
  return { status, wait_s, again: wait_s > 0 || status >= 500 || status === 401 || status === 408 };
}

/** @returns {Problem} */
function unreachable() {
  const failed = "The connection failed before an answer came, or the file can no longer be read.";
  const detail = `${navigator.onLine ? failed : "This device is offline."} ${KEPT}`;
  return { title: "The service was not reached", detail, again: true, waits: true, unreachable: true };
}

/** @returns {Problem} */
function noAnswer() {
  const detail = `Nothing was answered within ${PATIENCE_MS / 1000} seconds. ${KEPT}`;
  return { title: "No answer came", detail, again: true, waits: true, unreachable: true };
}

const KEPT = "The picture is kept here: try again when the service is back.";

/** @param {string} header `Server-Timing` @returns {Stage[]} */
function stagesOf(header) {
  const found = header.split(",").map((part) => /^\s*([\w-]+)\s*;.*?dur=([\d.]+)/.exec(part));
  return found.flatMap((match) => (match ? [{ name: match[1], ms: Number(match[2]) }] : []));
}

/** @returns {Record<string, string>} */
function keyHeader() {
  return service.key ? { Authorization: `Bearer ${service.key}` } : {};
}

/**
 * Where a verb of a model is; the default model needs no name.
 * @param {string} verb @param {string} model @param {URLSearchParams} query
 */
export function addressOf(verb, model, query) {
  const url = address(model === service.default || !model ? verb : `models/${encodeURIComponent(model)}/${verb}`);
  url.search = query.toString();
  return url;
}

/** Relative to the page, so that it works below a prefix. @param {string} path */
export function address(path) {
  return new URL(path, document.baseURI);
}
