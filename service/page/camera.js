// @ts-check
// The camera: a dialog with a shutter; where it cannot be used, the device's own way of taking a picture.

import { brushOf, byId, canvasOf, notice, stamp } from "./elements.js";

/** @import { Take } from "./pictures.js" */

const WANTED = { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } };

/** Openings are counted: the camera is lent later than it is asked for, and its dialog may be another one then. */
let opening = 0;

function camera() {
  return /** @type {HTMLDialogElement} */ (byId("camera"));
}

function viewfinder() {
  return /** @type {HTMLVideoElement} */ (byId("video"));
}

/** @param {Take} take */
export function letCamera(take) {
  byId("open-camera").addEventListener("click", openCamera);
  byId("shutter").addEventListener("click", () => shoot(take));
  byId("close-camera").addEventListener("click", () => camera().close());
  camera().addEventListener("close", letGo); // Escape closes it as well
  byId("taken").addEventListener("change", () => camera().close());
}

async function openCamera() {
  const mine = ++opening;
  giveBack();
  showShutter(false);
  byId("take-otherwise").hidden = true;
  byId("camera-said").textContent = "Waiting for the camera…";
  camera().showModal();
  try {
    const stream = await borrow();
    if (mine !== opening) return stop(stream);
    viewfinder().srcObject = stream;
    for (const track of stream.getTracks()) track.addEventListener("ended", () => showEnd(mine));
    await viewfinder().play();
    if (mine === opening) showReady();
  } catch (error) {
    if (mine === opening) showWhyNot(`The camera cannot be used here: ${/** @type {Error} */ (error).message}.`);
  }
}

function borrow() {
  if (navigator.mediaDevices) return navigator.mediaDevices.getUserMedia({ video: WANTED });
  throw new Error("browsers lend the camera to pages over https or on localhost only");
}

function showReady() {
  showShutter(true);
  byId("camera-said").textContent = "The picture goes to this service alone.";
  byId("shutter").focus();
}

/** It was unplugged, or taken back by who had lent it. @param {number} of which opening */
function showEnd(of) {
  if (of !== opening) return;
  giveBack();
  showWhyNot("The camera is gone.");
}

/** @param {string} why */
function showWhyNot(why) {
  showShutter(false);
  byId("take-otherwise").hidden = false;
  byId("camera-said").textContent = why;
  byId("take-otherwise").focus();
}

/** @param {boolean} shown */
function showShutter(shown) {
  const shutter = /** @type {HTMLButtonElement} */ (byId("shutter"));
  viewfinder().hidden = shutter.hidden = shutter.disabled = !shown;
}

/** @param {Take} take */
function shoot(take) {
  const canvas = canvasOf(viewfinder().videoWidth, viewfinder().videoHeight);
  brushOf(canvas).drawImage(viewfinder(), 0, 0);
  notice("");
  canvas.toBlob((blob) => {
    if (blob) take([new File([blob], `camera-${stamp()}.jpg`, { type: "image/jpeg" })], { made: true });
    else notice("The camera gave no picture. Try again.");
  }, "image/jpeg", 0.92);
  camera().close();
}

/** The dialog is closed: whatever is lent from now on was asked for in vain. */
function letGo() {
  if (camera().open) return; // again: the event comes later than the end
  opening += 1;
  giveBack();
}

function giveBack() {
  if (viewfinder().srcObject instanceof MediaStream) stop(/** @type {MediaStream} */ (viewfinder().srcObject));
  viewfinder().srcObject = null;
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
