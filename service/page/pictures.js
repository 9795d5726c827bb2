// @ts-check
// Pictures come in: chosen, dropped, pasted. What is sent is the file as it is.

import { byId, notice, stamp } from "./elements.js";

/** @typedef {(files: File[], how?: {made?: boolean}) => void} Take `made`: they lie nowhere but in this page */

/** @param {Take} take */
export function takeFromEverywhere(take) {
  for (const [button, input] of [["choose", "files"], ["take-otherwise", "taken"]]) {
    const files = /** @type {HTMLInputElement} */ (byId(input));
    byId(button).addEventListener("click", () => { files.value = ""; files.click(); }); // emptied: the same file may come again
    files.addEventListener("change", () => { take([...(files.files ?? [])]); });
  }
  let depth = 0; // dragenter and dragleave come for every element on the way
  const drag = (/** @type {number} */ by) => document.body.classList.toggle("dragging", (depth = by ? Math.max(0, depth + by) : 0) > 0);
  addEventListener("dragenter", () => drag(+1));
  addEventListener("dragleave", () => drag(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); drag(0); takeDropped(event.dataTransfer, take); });
  addEventListener("paste", (event) => takePasted(/** @type {ClipboardEvent} */ (event), take));
}

/** @param {DataTransfer | null} data @param {Take} take */
function takeDropped(data, take) {
  const folders = [...(data?.items ?? [])].filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
  const files = [...(data?.files ?? [])].filter((_, index) => !data?.items[index]?.webkitGetAsEntry?.()?.isDirectory);
  if (folders) notice("A folder cannot be sent: drop the pictures in it.");
  else if (!files.length) notice("What was dropped is no file. Save the picture first, and drop the file.");
  else notice("");
  take(files);
}

/** @param {ClipboardEvent} event @param {Take} take */
function takePasted(event, take) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) event.preventDefault();
  take(files.map((file) => (file.name === "image.png" ? new File([file], `pasted-${stamp()}.png`, { type: file.type }) : file)), { made: true });
}
