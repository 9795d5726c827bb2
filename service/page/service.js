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
 *   unreachable?: boolean}} Problem
 * @typedef {{name: string, ready: boolean, version: string | null, labels: string[] | null, backbone: string | null,
 *   metrics: Record<string, any> | null, last_reload_error: {version: string | null, error: string} | null}} Model
 */
/** @template T @typedef {{answer: T, ms: number, stages: Stage[]}} Told */

import { bytes } from "./elements.js";

/** What is known of the service. */
export const service = {
  /** @type {Model[]} */ models: [],
  /** @type {string | null} */ default: null,
  maxUploadBytes: Infinity,
  ready: false,
  key: "", // in memory alone: gone with the page
};

/** @param {string} path */
export async function get(path) {
  const response = await fetch(address(path), { headers: { Accept: "application/json", ...keyHeader() }, cache: "no-store" });
  return { ok: response.ok, status: response.status, body: await response.json() };
}

/**
 * One request: the file as it is, in a form.
 * @template T
 * @param {URL} url @param {File} file @param {AbortSignal} signal
 * @returns {Promise<Told<T> | Problem>}
 */
export async function send(url, file, signal) {
  const body = new FormData();
  body.append("file", file);
  const began = performance.now();
  try {
    const response = await fetch(url, { method: "POST", headers: keyHeader(), body, signal });
    const text = await response.text();
    const ms = performance.now() - began;
    if (response.ok) return { answer: JSON.parse(text), ms, stages: stagesOf(response.headers.get("Server-Timing") ?? "") };
    return problemOf(response, text);
  } catch {
    return unreachable();
  }
}

/** What need not be sent to be known. @param {File} file @returns {Problem | null} */
export function whyNotSent(file) {
  if (file.type && !file.type.startsWith("image/") && file.type !== "application/octet-stream")
    return { title: "This is no picture", detail: `${file.name} is ${file.type}; it was not sent. Accepted are JPEG, PNG, WebP, BMP and GIF.`, again: false };
  if (file.size > service.maxUploadBytes)
    return { title: "The file is too large", detail: `It has ${bytes(file.size)}, the service takes ${bytes(service.maxUploadBytes)}; it was not sent. Make the picture smaller, or raise --max-upload.`, again: false };
  return null;
}

/** @param {Response} response @param {string} text @returns {Problem} */
function problemOf(response, text) {
  const wait_s = Number(response.headers.get("Retry-After")) || 0;
  const again = wait_s > 0 || response.status >= 500 || response.status === 401 || response.status === 408;
  try {
    const { title, detail, request_id } = JSON.parse(text);
    return { title, detail, request_id, status: response.status, wait_s, again };
  } catch {
    return { title: "Somebody else answered", detail: `The answer is none of the service's (status ${response.status}): something in between, a proxy perhaps, gave it.`, status: response.status, wait_s, again };
  }
}

/** @returns {Problem} */
function unreachable() {
  const detail = navigator.onLine ? "The connection failed before an answer came, or the file can no longer be read." : "This device is offline.";
  return { title: "The service was not reached", detail: `${detail} The picture is kept here: try again when the service is back.`, again: true, unreachable: true };
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

/** Where a verb of a model is; the default model needs no name. @param {string} verb @param {string} model @param {URLSearchParams} query */
export function addressOf(verb, model, query) {
  const url = address(model === service.default || !model ? verb : `models/${encodeURIComponent(model)}/${verb}`);
  url.search = query.toString();
  return url;
}

/** Relative to the page, so that it works below a prefix. @param {string} path */
export function address(path) {
  return new URL(path, document.baseURI);
}
