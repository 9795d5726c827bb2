// @ts-check
// The same from a program: exactly what was just asked.

import { byId, find, tell } from "./elements.js";
import { service } from "./service.js";

/** @param {File} file @param {string[]} urls what was asked, in order */
export function showCode(file, urls) {
  byId("program").hidden = false;
  byId("program-name").textContent = file.name;
  find(byId("curl"), "code").textContent = curlCode(file.name, urls);
  find(byId("python"), "code").textContent = pythonCode(file.name, urls);
  find(byId("javascript"), "code").textContent = javascriptCode(urls);
  const transfer = new DataTransfer(); // the JavaScript reads the page's own file input
  transfer.items.add(file);
  /** @type {HTMLInputElement} */ (byId("files")).files = transfer.files;
}

/** @param {string} name @param {string[]} urls */
function curlCode(name, urls) {
  const inShell = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const form = inShell(`file=@"${name.replace(/["\\]/g, "\\$&")}"`);
  const key = service.key ? '-H "Authorization: Bearer $FINIAL_KEY" ' : "";
  return urls.map((url) => `curl ${key}-F ${form} ${inShell(url)}`).join("\n");
}

/** @param {string} name @param {string[]} urls */
function pythonCode(name, urls) {
  const headers = service.key ? ', headers={"Authorization": f"Bearer {os.environ[\'FINIAL_KEY\']}"}' : "";
  const post = (/** @type {string} */ url) => `answer = httpx.post(${JSON.stringify(url)}, files={"file": (name, picture)}${headers})`;
  const each = urls.flatMap((url) => [post(url), "print(answer.raise_for_status().json())", ""]);
  const lines = ["from pathlib import Path", "", "import httpx", "", `name = ${JSON.stringify(name)}`, "picture = Path(name).read_bytes()", "", ...each];
  return [...(service.key ? ["import os"] : []), ...lines].join("\n").trim();
}

/** @param {string[]} urls */
function javascriptCode(urls) {
  const headers = service.key ? ', headers: { Authorization: `Bearer ${prompt("API key")}` }' : "";
  const each = urls.flatMap((url) => ["", `response = await fetch(${JSON.stringify(url)}, { method: "POST", body${headers} });`, "console.log(await response.json());"]);
  const head = ["// in a page with a file input, such as this one: in its console", "const body = new FormData();"];
  return [...head, 'body.append("file", document.querySelector("input[type=file]").files[0]);', "let response;", ...each].join("\n");
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
