// @ts-check
// What came instead of an answer, in words, and whether it is worth another try.

import { isText } from "./forms.js";

/** @import { Problem } from "./service.js" */

const KEPT = "The picture is kept here: try again when the service is back.";

/** Kinds of problems that end when the service is ready. */
const OVER_WHEN_READY = ["no-model", "model-not-loaded", "draining", "key-missing", "key-unknown"];

/** @param {Response} response @param {any} said @returns {Problem} */
export function problemOf(response, said) {
  if (!isText(said?.title) || !isText(said.detail)) return strange(response);
  const { title, detail, type } = said;
  const request_id = isText(said.request_id) ? said.request_id : undefined;
  const waits = OVER_WHEN_READY.includes(String(type).replace("urn:finial:problem:", ""));
  return { title, detail, request_id, waits, ...whatOf(response) };
}

/** @param {Response} response @returns {Problem} */
export function strange(response) {
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
export function unreachable() {
  const failed = "The connection failed before an answer came, or the file can no longer be read.";
  const detail = `${navigator.onLine ? failed : "This device is offline."} ${KEPT}`;
  return { title: "The service was not reached", detail, again: true, waits: true, unreachable: true };
}

/** @param {number} patience_s how long it was waited for @returns {Problem} */
export function noAnswer(patience_s) {
  const detail = `Nothing was answered within ${patience_s} seconds. ${KEPT}`;
  return { title: "No answer came", detail, again: true, waits: true, unreachable: true };
}
