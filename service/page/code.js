// @ts-check
// The same from a program: exactly what was just asked.

import { byId, find, tell } from "./elements.js";
import { service } from "./service.js";

/** @type {File | undefined} */
let codeIsAbout;

/** What acts on a terminal, or turns the text around it: controls, and marks for the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const STAND_IN = "picture.jpg";

/** @param {File} file @param {string[]} urls what was asked, in order */
export function showCode(file, urls) {
  codeIsAbout = file;
  const name = UNPRINTABLE.test(file.name) ? STAND_IN : file.name;
  byId("program").hidden = false;
  byId("program-name").textContent = name === file.name ? name : `${name} (its own name is not safe to paste)`;
  find(byId("curl"), "code").textContent = curlCode(name, urls);
  find(byId("python"), "code").textContent = pythonCode(name, urls);
  find(byId("javascript"), "code").textContent = javascriptCode(urls);
  const transfer = new DataTransfer(); // the JavaScript reads the page's own file input
  transfer.items.add(file);
  /** @type {HTMLInputElement} */ (byId("files")).files = transfer.files;
}

/** Its card is removed: neither code about it nor the file itself stays. @param {File} file */
export function forgetCode(file) {
  if (file !== codeIsAbout) return;
  codeIsAbout = undefined;
  byId("program").hidden = true;
  /** @type {HTMLInputElement} */ (byId("files")).value = "";
  for (const text of document.querySelectorAll("#program code, #program-name")) text.textContent = "";
}

/** @param {string} name @param {string[]} urls */
function curlCode(name, urls) {
  const inShell = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const form = inShell(`file=@"./${name.replace(/["\\]/g, "\\$&")}"`); // without ./ a file named - is what is typed
  const key = service.key ? '-H "Authorization: Bearer $FINIAL_KEY" ' : "";
  return urls.map((url) => `curl ${key}-F ${form} ${inShell(url)}`).join("\n");
}

/** @param {string} name @param {string[]} urls */
function pythonCode(name, urls) {
  const headers = service.key ? ', headers={"Authorization": f"Bearer {os.environ[\'FINIAL_KEY\']}"}' : "";
  const post = (/** @type {string} */ url) =>
    `answer = httpx.post(${JSON.stringify(url)}, files={"file": (name, picture)}${headers})`;
  const each = urls.flatMap((url) => [post(url), "print(answer.raise_for_status().json())", ""]);
  const imports = [...(service.key ? ["import os"] : []), "from pathlib import Path", "", "import httpx", ""];
  const read = [`name = ${JSON.stringify(name)}`, "picture = Path(name).read_bytes()", ""];
  return [...imports, ...read, ...each].join("\n").trim();
}

/** @param {string[]} urls */
function javascriptCode(urls) {
  const headers = service.key ? ', headers: { Authorization: `Bearer ${prompt("API key")}` }' : "";
  const post = (/** @type {string} */ url) =>
    `response = await fetch(${JSON.stringify(url)}, { method: "POST", body${headers} });`;
  const each = urls.flatMap((url) => ["", post(url), "console.log(await response.json());"]);
  const head = ["// in a page with a file input, such as this one: in its console", "const body = new FormData();"];
  const file = 'body.append("file", document.querySelector("input[type=file]").files[0]);';
  return [...head, file, "let response;", ...each].join("\n");
}

/** @param {Event} event */
export async function copyCode(event) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  const code = find(/** @type {HTMLElement} */ (button.parentElement), "code");
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    button.textContent = "Copied";
  } catch { // no clipboard for pages over plain http: what is selected can be copied by hand
    getSelection()?.selectAllChildren(code);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  tell(`${button.textContent}.`);
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
