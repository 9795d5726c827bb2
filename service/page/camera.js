// @ts-check
// The camera: a dialog with a shutter; where it cannot be used, the device's own way of taking a picture.

import { brushOf, byId, canvasOf, stamp } from "./elements.js";

/** @import { Take } from "./pictures.js" */

function camera() {
  return /** @type {HTMLDialogElement} */ (byId("camera"));
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
  const said = byId("camera-said");
  const [video, shutter] = [/** @type {HTMLVideoElement} */ (byId("video")), /** @type {HTMLButtonElement} */ (byId("shutter"))];
  byId("take-otherwise").hidden = video.hidden = shutter.hidden = true;
  said.textContent = "Waiting for the camera…";
  camera().showModal();
  try {
    if (!navigator.mediaDevices) throw new Error("browsers lend the camera to pages over https or on localhost only");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } } });
    if (!camera().open) return letGo();
    await video.play();
    video.hidden = shutter.hidden = shutter.disabled = false;
    said.textContent = "The picture goes to this service alone.";
    shutter.focus();
  } catch (error) {
    byId("take-otherwise").hidden = false;
    said.textContent = `The camera cannot be used here: ${/** @type {Error} */ (error).message}.`;
  }
}

/** @param {Take} take */
function shoot(take) {
  const video = /** @type {HTMLVideoElement} */ (byId("video"));
  const canvas = canvasOf(video.videoWidth, video.videoHeight);
  brushOf(canvas).drawImage(video, 0, 0);
  canvas.toBlob((blob) => blob && take([new File([blob], `camera-${stamp()}.jpg`, { type: "image/jpeg" })], { made: true }), "image/jpeg", 0.92);
  camera().close();
}

function letGo() {
  const video = /** @type {HTMLVideoElement} */ (byId("video"));
  if (video.srcObject instanceof MediaStream) for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
}
