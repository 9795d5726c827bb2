// @ts-check
// Evidence as a layer over the picture: what speaks for a label, what speaks against it, and what the model saw.

import { brushOf, canvasOf } from "./elements.js";

/** @import { Evidence } from "./service.js" */

/** Whether the model saw only a part of the picture. @param {Evidence["box"]} box fractions of it */
export function isPart(box) {
  return box.left > 0.001 || box.top > 0.001 || box.right < 0.999 || box.bottom < 0.999;
}

/** @param {HTMLCanvasElement} canvas @param {Evidence} evidence @param {number} strength 0 to 1 */
export function paint(canvas, { heat, box }, strength) {
  const { width, height } = canvas;
  const [wide, high] = [(box.right - box.left) * width, (box.bottom - box.top) * height];
  const seen = /** @type {const} */ ([box.left * width, box.top * height, wide, high]);
  const brush = brushOf(canvas);
  brush.fillStyle = "rgb(0 0 0 / 0.55)"; // what the model did not see is dimmed
  brush.fillRect(0, 0, width, height);
  brush.clearRect(...seen);
  brush.globalAlpha = strength;
  brush.drawImage(layer(canvas, heat, seen, { colour: "--for", hatched: false, sign: +1 }), 0, 0);
  brush.drawImage(layer(canvas, heat, seen, { colour: "--against", hatched: true, sign: -1 }), 0, 0);
  brush.globalAlpha = 1;
  if (!isPart(box)) return;
  for (const [colour, dash] of /** @type {[string, number[]][]} */ ([["#000", []], ["#fff", [10, 8]]])) {
    brush.strokeStyle = colour;
    brush.setLineDash(dash);
    brush.lineWidth = 3;
    brush.strokeRect(seen[0] + 1.5, seen[1] + 1.5, seen[2] - 3, seen[3] - 3);
  }
}

/**
 * What speaks for the label, or against it, as a layer: the more, the less can be seen through.
 * @param {HTMLCanvasElement} canvas @param {number[][]} heat @param {readonly [number, number, number, number]} seen
 * @param {{colour: string, hatched: boolean, sign: number}} how
 */
function layer(canvas, heat, seen, { colour, hatched, sign }) {
  const small = canvasOf(heat[0].length, heat.length);
  const result = canvasOf(canvas.width, canvas.height);
  const [smallBrush, brush] = [brushOf(small), brushOf(result)];
  smallBrush.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colour);
  heat.forEach((row, y) => row.forEach((heatHere, x) => {
    smallBrush.globalAlpha = Math.min(1, Math.max(0, heatHere * sign)) * 0.9;
    smallBrush.fillRect(x, y, 1, 1);
  }));
  brush.imageSmoothingQuality = "high";
  brush.drawImage(small, ...seen);
  if (hatched) hatch(brush, result);
  return result;
}

/**
 * Lines where something is painted already: not told by the colour alone.
 * @param {CanvasRenderingContext2D} brush @param {HTMLCanvasElement} canvas
 */
function hatch(brush, { width, height }) {
  brush.globalCompositeOperation = "source-atop";
  brush.strokeStyle = "rgb(124 45 18 / 0.75)";
  brush.lineWidth = 2.5;
  brush.beginPath();
  for (let x = -height; x < width; x += 14) {
    brush.moveTo(x, 0);
    brush.lineTo(x + height, height);
  }
  brush.stroke();
}
