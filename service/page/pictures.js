// @ts-check
// Pictures come in: chosen, dropped, pasted. What is sent is the file as it is.

import { byId, notice, stamp } from "./elements.js";

/** @typedef {(files: File[], how?: {made?: boolean}) => void} Take `made`: they lie nowhere but in this page */

/** @param {Take} take */
export function takeFromEverywhere(take) {
  letChoose("choose", "files", take);
  letChoose("take-otherwise", "taken", take);
  showWhatIsDragged();
  addEventListener("drop", (event) => takeDropped(event, take));
  addEventListener("paste", (event) => takePasted(/** @type {ClipboardEvent} */ (event), take));
}

/** @param {string} button @param {string} input @param {Take} take */
function letChoose(button, input, take) {
  const files = /** @type {HTMLInputElement} */ (byId(input));
  byId(button).addEventListener("click", () => {
    files.value = ""; // the same file may come again
    files.click();
  });
  files.addEventListener("change", () => {
    notice("");
    take([...(files.files ?? [])]);
  });
}

function showWhatIsDragged() {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const count = (/** @type {number} */ now) => {
    depth = Math.max(0, now);
    document.body.classList.toggle("dragging", depth > 0);
  };
  addEventListener("dragenter", () => count(depth + 1));
  addEventListener("dragleave", () => count(depth - 1));
  addEventListener("drop", () => count(0));
  addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files") || !intoAField(event)) event.preventDefault();
  });
}

/** @param {DragEvent} event @param {Take} take */
function takeDropped(event, take) {
  const items = [...(event.dataTransfer?.items ?? [])];
  const files = [...(event.dataTransfer?.files ?? [])];
  if (!files.length && intoAField(event)) return; // text for it
  event.preventDefault();
  const pictures = files.filter((_, index) => !isFolder(items[index]));
  if (pictures.length < files.length) notice("A folder cannot be sent: drop the pictures in it.");
  else if (!files.length) notice("What was dropped is no file. Save the picture first, and drop the file.");
  else notice("");
  take(pictures);
}

/** @param {DataTransferItem | undefined} item */
function isFolder(item) {
  return Boolean(item?.webkitGetAsEntry?.()?.isDirectory);
}

/** @param {ClipboardEvent} event @param {Take} take */
function takePasted(event, take) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length && intoAField(event)) return; // text for it
  if (files.length) event.preventDefault();
  notice(files.length ? "" : "What was pasted is no picture. Copy the picture itself, not its address.");
  take(files.map(named), { made: true });
}

/** What was pasted has no name of its own. @param {File} file */
function named(file) {
  return file.name === "image.png" ? new File([file], `pasted-${stamp()}.png`, { type: file.type }) : file;
}

/** @param {Event} event */
function intoAField({ target }) {
  return target instanceof Element && target.closest("input, textarea") !== null;
}
