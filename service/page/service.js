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
import { isAnswerTo } from "./forms.js";
import { noAnswer, problemOf, strange, unreachable } from "./problems.js";

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
    return error === LATE ? noAnswer(PATIENCE_MS / 1000) : unreachable();
  }
  const ms = performance.now() - began;
  if (response.status === 401) service.whenKeyIsWanted();
  const said = parsed(text);
  if (!response.ok) return problemOf(response, said);
  if (!isAnswerTo(url.pathname.split("/").at(-1) ?? "", said)) return strange(response);
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
