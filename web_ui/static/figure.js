// The lifter as a stick figure, drawn from the machine-frame joints of a state (metres; x to the
// lifter's left, y backwards, z up). Also used for the staff's replays.

const SVG = "http://www.w3.org/2000/svg";
const SIDES = ["left", "right"];

// a lifter at rest on a 45 degree sled: drawn faintly while nobody is seen
export const RESTING = {
  head: [0, 0.42, 0.98], shoulder_left: [0.16, 0.338, 0.774], shoulder_right: [-0.16, 0.338, 0.774],
  hip_left: [0.105, 0, 0.452], hip_right: [-0.105, 0, 0.452], knee_left: [0.153, -0.275, 0.777], knee_right: [-0.153, -0.275, 0.777],
  ankle_left: [0.17, -0.612, 0.998], ankle_right: [-0.17, -0.612, 0.998], heel_left: [0.17, -0.691, 1], heel_right: [-0.17, -0.691, 1],
  toe_left: [0.2, -0.516, 1.191], toe_right: [-0.2, -0.516, 1.191],
  plate_top: [0, -0.445, 1.27], plate_bottom: [0, -0.763, 0.974], pad_bottom: [0, 0.003, 0.37], pad_top: [0, 0.652, 0.92],
};

// which body parts a fault marks
export function markedParts(warnings) {
  const marked = new Set();
  for (const { kind, side } of warnings) {
    const legs = side ? [`leg_${side}`] : ["leg_left", "leg_right"];
    if (kind === "back_rounding" || kind === "back_arching") marked.add("torso");
    else if (kind === "hips_forward") marked.add("torso").add("pad");
    else if (kind === "knee_valgus" || kind === "knee_lockout") legs.forEach((leg) => marked.add(leg));
    else if (kind === "heel_lift" || kind === "feet_mismatch") ["foot_left", "foot_right"].forEach((foot) => marked.add(foot));
    else if (kind === "seat_unlocked" || kind === "seat_misfit") marked.add("pad");
    else marked.add("plate");
  }
  return marked;
}

// the browser draws anew what is set, though to what it was
export function put(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function shape(parent, name, classes, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", classes);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function middle(a, b) {
  return a && b ? [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2] : a ?? b;
}

const number = (value) => value.toFixed(4);
const pathOf = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${number(x)} ${number(y)}`).join("");

class View {
  constructor(svg) {
    this.svg = svg;
    this.root = shape(svg, "g", "figure");
    this.parts = {};
    this.box = null;
  }

  line(part, classes, width) {
    const group = shape(this.root, "g", `part-${part}`);
    const glow = shape(group, "path", "glow", { "stroke-width": width * 2.1 });
    const limb = shape(group, "path", classes, { "stroke-width": width });
    this.parts[part] = { group, glow, limb };
  }

  draw(part, points) {
    const { group, glow, limb } = this.parts[part];
    const complete = points.every(Boolean);
    put(group, "visibility", complete ? "visible" : "hidden");
    if (!complete) return;
    const d = typeof points[0] === "string" ? points[0] : pathOf(points);
    put(limb, "d", d);
    if (group.classList.contains("marked")) put(glow, "d", d);
  }

  mark(marked) {
    for (const [part, { group, glow, limb }] of Object.entries(this.parts)) {
      const on = marked.has(part);
      if (on && !group.classList.contains("marked")) put(glow, "d", limb.getAttribute("d") ?? "");
      group.classList.toggle("marked", on);
      if (limb.classList.contains("machine")) limb.classList.toggle("marked", on);
    }
  }

  // two pictures beside each other are of one scale
  shareFrame(other) {
    if (!this.box || !other.box) return;
    const corners = [this.box, other.box].flatMap(([left, top, right, bottom]) => [[left, top], [right, bottom]]);
    this.fit(corners, 0);
    other.fit(corners, 0);
  }

  // the frame only grows while somebody trains, so that the picture stands still
  fit(points, margin) {
    const known = points.filter(Boolean);
    const xs = known.map(([x]) => x);
    const ys = known.map(([, y]) => y);
    const now = [Math.min(...xs) - margin, Math.min(...ys) - margin, Math.max(...xs) + margin, Math.max(...ys) + margin];
    const old = this.box ?? now;
    const box = [Math.min(old[0], now[0]), Math.min(old[1], now[1]), Math.max(old[2], now[2]), Math.max(old[3], now[3])];
    if (this.box && box.every((each, i) => each === this.box[i])) return;
    this.box = box;
    this.svg.setAttribute("viewBox", [box[0], box[1], box[2] - box[0], box[3] - box[1]].map(number).join(" "));
  }
}

export class SideView extends View {
  constructor(svg) {
    super(svg);
    this.line("pad", "machine", 0.07);
    this.line("plate", "machine plate-line", 0.05);
    this.line("leg_right", "limb far", 0.075);
    this.line("foot_right", "limb far", 0.05);
    this.line("torso", "limb", 0.115);
    this.line("leg_left", "limb", 0.085);
    this.line("foot_left", "limb", 0.055);
    this.head = shape(this.root, "circle", "head", { r: 0.1 });
  }

  // figure: joints by name; roundingDeg bends the back as much as it is bent
  show(figure, marked, roundingDeg) {
    const at = (name) => figure[name] && [-figure[name][1], -figure[name][2]];
    const hip = middle(at("hip_left"), at("hip_right"));
    const neck = middle(at("shoulder_left"), at("shoulder_right"));
    this.draw("pad", [at("pad_top"), at("pad_bottom")]);
    this.draw("plate", [at("plate_top"), at("plate_bottom")]);
    for (const side of SIDES) {
      this.draw(`leg_${side}`, [at(`hip_${side}`), at(`knee_${side}`), at(`ankle_${side}`)]);
      this.draw(`foot_${side}`, [at(`heel_${side}`), at(`toe_${side}`)]);
    }
    this.bringForward(marked.has("leg_right") && !marked.has("leg_left") ? "right" : "left");
    this.draw("torso", [hip && neck && this.back(hip, neck, roundingDeg ?? 0)]);
    const head = at("head");
    put(this.head, "visibility", head ? "visible" : "hidden");
    if (head) {
      put(this.head, "cx", number(head[0]));
      put(this.head, "cy", number(head[1]));
    }
    this.mark(marked);
    this.fit([...Object.keys(figure).map(at), head && [head[0] - 0.06, head[1] - 0.06]], 0.06);
  }

  // the leg in front is the near one, or the one that a fault marks
  bringForward(front) {
    if (front === this.front) return;
    this.front = front;
    const back = front === "left" ? "right" : "left";
    const order = [`leg_${back}`, `foot_${back}`, "torso", `leg_${front}`, `foot_${front}`];
    this.root.append(...order.map((part) => this.parts[part].group));
    for (const side of SIDES) {
      for (const part of [`leg_${side}`, `foot_${side}`]) this.parts[part].limb.classList.toggle("far", side !== front);
    }
  }

  // a curve from hip to neck, bulging to the pad when rounded and away from it when arched
  back(hip, neck, roundingDeg) {
    const along = [neck[0] - hip[0], neck[1] - hip[1]];
    const bend = Math.max(-0.3, Math.min(0.45, roundingDeg / 60));
    const control = [hip[0] + along[0] * 0.42 + along[1] * bend, hip[1] + along[1] * 0.42 - along[0] * bend];
    return `M${number(hip[0])} ${number(hip[1])}Q${number(control[0])} ${number(control[1])} ${number(neck[0])} ${number(neck[1])}`;
  }
}

export class AboveView extends View {
  constructor(svg) {
    super(svg);
    this.line("plate", "machine plate-line", 0.05);
    this.line("pad", "machine", 0.09);
    for (const side of SIDES) {
      this.line(`leg_${side}`, "limb", 0.075);
      this.line(`foot_${side}`, "limb", 0.06);
    }
    this.pointers = Object.fromEntries(SIDES.map((side) => [side, shape(this.root, "path", "pointer", { "stroke-width": 0.03 })]));
  }

  // as the lifter looks down on the own legs: left is left, the plate is up
  show(figure, marked, kneesOut) {
    const away = this.rail(figure);
    const origin = middle(figure.hip_left, figure.hip_right) ?? [0, 0, 0];
    const at = (name) => figure[name] && this.project(figure[name], origin, away);
    const feet = middle(at("ankle_left"), at("ankle_right"));
    this.draw("plate", feet ? [[-0.4, feet[1] - 0.09], [0.4, feet[1] - 0.09]] : [null]);
    this.draw("pad", [[-0.2, 0.1], [0.2, 0.1]]);
    for (const side of SIDES) {
      const ankle = at(`ankle_${side}`);
      const knee = at(`knee_${side}`);
      this.draw(`leg_${side}`, [at(`hip_${side}`), knee, ankle]);
      const toe = at(`toe_${side}`);
      this.draw(`foot_${side}`, [ankle, ankle && toe && [toe[0], ankle[1] - 0.07]]);
      const out = knee && kneesOut.includes(side);
      this.pointers[side].classList.toggle("shown", Boolean(out));
      if (out) put(this.pointers[side], "d", this.arrow(knee, side === "left" ? -1 : 1));
    }
    this.mark(marked);
    this.fit([[-0.46, 0.18], [0.46, 0.18], feet && [0, feet[1] - 0.17]], 0.02);
  }

  arrow([x, y], way) {
    const from = x + way * 0.08;
    const to = x + way * 0.24;
    const back = to - way * 0.07;
    return `M${number(from)} ${number(y)}L${number(to)} ${number(y)}M${number(back)} ${number(y - 0.06)}L${number(to)} ${number(y)}L${number(back)} ${number(y + 0.06)}`;
  }

  project(point, origin, away) {
    const forward = (point[1] - origin[1]) * away[0] + (point[2] - origin[2]) * away[1];
    return [-point[0], -forward];
  }

  // the rails' direction (y, z), away from the lifter: the plate's normal
  rail(figure) {
    const { plate_top: top, plate_bottom: bottom } = figure;
    if (!top || !bottom) return [-0.71, 0.71];
    const length = Math.hypot(top[1] - bottom[1], top[2] - bottom[2]) || 1;
    const normal = [-(top[2] - bottom[2]) / length, (top[1] - bottom[1]) / length];
    return normal[0] > 0 ? [-normal[0], -normal[1]] : normal;
  }
}
