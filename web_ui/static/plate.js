// The footplate as the lifter sees it: the goal's band and where the feet are (0 = top edge, 1 = bottom edge).

import { put } from "./figure.js";

const SVG = "http://www.w3.org/2000/svg";
const TOP = 22;
const HEIGHT = 152;
const FEET_X = { left: 64, right: 136 };
// a left sole seen from above, toes up, its middle at 0, 0
const SOLE = "M-3-31c9-1 15 7 15 19 0 9-4 12-4 21 0 12-2 21-9 21s-10-7-10-17c0-11-5-14-5-26 0-10 5-17 13-18Z";

function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

const height = (placement) => TOP + HEIGHT * Math.max(0, Math.min(1, placement));

export class Plate {
  constructor(svg) {
    shape(svg, "rect", { class: "plate-board", x: 14, y: TOP, width: 172, height: HEIGHT, rx: 12 });
    this.band = shape(svg, "rect", { class: "plate-band", x: 20, width: 160, rx: 8 });
    this.top = shape(svg, "text", { class: "plate-edge", x: 100, y: 15 });
    this.bottom = shape(svg, "text", { class: "plate-edge", x: 100, y: 191 });
    this.feet = Object.fromEntries(
      Object.keys(FEET_X).map((side) => [side, shape(svg, "path", { class: "foot", d: SOLE })]),
    );
  }

  labels(top, bottom) {
    if (this.top.textContent !== top) this.top.textContent = top;
    if (this.bottom.textContent !== bottom) this.bottom.textContent = bottom;
  }

  // feet: {left, right} or null; wrong colours them as the fault
  show(band, feet, wrong) {
    put(this.band, "y", height(band[0]).toFixed(1));
    put(this.band, "height", (height(band[1]) - height(band[0])).toFixed(1));
    for (const [side, foot] of Object.entries(this.feet)) {
      const placement = feet?.[side] ?? null;
      const y = height(placement ?? (band[0] + band[1]) / 2);
      const mirror = side === "left" ? "" : " scale(-1 1)";
      put(foot, "transform", `translate(${FEET_X[side]} ${y.toFixed(1)})${mirror}`);
      foot.classList.toggle("wanted", placement === null);
      foot.classList.toggle("wrong", placement !== null && wrong);
    }
  }
}
