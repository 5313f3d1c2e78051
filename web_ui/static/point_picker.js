// Named points on a picture: clicked, dragged, nudged by keys, under a magnifier. Knows nothing of what they are for.

const SVG = "http://www.w3.org/2000/svg";
const REACH = 16; // css px within which a point is taken hold of: half a fingertip
const ZOOM = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function shape(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

export class PointPicker {
  // names in their order; `changed` is called whenever a point was placed, moved, taken away or chosen
  constructor(frame, names, changed) {
    this.frame = frame;
    this.picture = frame.querySelector("#shown");
    this.svg = frame.querySelector("#marks");
    this.magnifier = frame.querySelector("#magnifier");
    this.names = names;
    this.changed = changed;
    this.points = {};
    this.current = names[0];
    this.enabled = false;
    this.expected = {}; // where the fit would see each point
    this.quads = {}; // stickers, by id
    this.dragging = false;
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, () => this.release());
    frame.addEventListener("pointerleave", () => { if (!this.dragging) this.magnifier.hidden = true; });
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("blur", () => { this.magnifier.hidden = true; });
    addEventListener("resize", () => this.draw());
  }

  size(width, height) {
    if (this.picture.width === width && this.picture.height === height) return;
    this.picture.width = width;
    this.picture.height = height;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  get scale() {
    return this.picture.getBoundingClientRect().width / this.picture.width || 1; // css px to one of the picture
  }

  enable(on) {
    this.enabled = on;
    this.frame.dataset.picking = on ? "yes" : "no";
    if (!on) this.magnifier.hidden = true;
    this.draw();
  }

  choose(name) {
    this.current = name;
    this.draw();
    this.changed();
  }

  remove() {
    delete this.points[this.current];
    this.moved();
  }

  put(name, x, y) {
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    this.points[name] = [within(x, this.picture.width), within(y, this.picture.height)];
    this.moved();
  }

  moved() {
    this.expected = {};
    this.draw();
    this.changed();
  }

  at(event) {
    const box = this.picture.getBoundingClientRect();
    return [(event.clientX - box.left) / this.scale, (event.clientY - box.top) / this.scale];
  }

  near(x, y) {
    // a point that is still to be placed may lie beside one that is
    const reach = (this.current in this.points ? REACH : REACH / 2) / this.scale;
    const far = (name) => Math.hypot(this.points[name][0] - x, this.points[name][1] - y);
    const found = Object.keys(this.points).filter((name) => far(name) <= reach);
    return found.sort((a, b) => far(a) - far(b))[0];
  }

  press(event) {
    if (!this.enabled || event.button !== 0) return;
    const [x, y] = this.at(event);
    const held = this.near(x, y);
    this.placing = held === undefined && !(this.current in this.points);
    if (held !== undefined) this.current = held;
    // what was taken hold of does not jump under the finger
    this.offset = this.current in this.points && held !== undefined ? [this.points[held][0] - x, this.points[held][1] - y] : [0, 0];
    this.dragging = true;
    this.frame.setPointerCapture(event.pointerId);
    this.put(this.current, x + this.offset[0], y + this.offset[1]);
    this.magnify(...this.points[this.current]);
  }

  move(event) {
    if (!this.enabled) return;
    const [x, y] = this.at(event);
    if (this.dragging) this.put(this.current, x + this.offset[0], y + this.offset[1]);
    this.magnify(...(this.dragging ? this.points[this.current] : [x, y]));
  }

  release() {
    if (!this.dragging) return;
    this.dragging = false;
    this.magnifier.hidden = true;
    const next = this.names.find((name) => !(name in this.points));
    if (this.placing && next !== undefined) this.choose(next);
  }

  key(event) {
    if (!this.enabled) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove();
      return;
    }
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    const step = event.shiftKey ? 10 : 1;
    const [x, y] = this.points[this.current] ?? [this.picture.width / 2, this.picture.height / 2];
    this.put(this.current, x + way[0] * step, y + way[1] * step);
    this.magnify(...this.points[this.current]);
  }

  // four times as large, in the corner that is away from the place
  magnify(x, y) {
    const glass = this.magnifier;
    const side = glass.width / ZOOM;
    const context = glass.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#000";
    context.fillRect(0, 0, glass.width, glass.height);
    context.drawImage(this.picture, x - side / 2, y - side / 2, side, side, 0, 0, glass.width, glass.height);
    context.strokeStyle = "#ffd400";
    context.beginPath();
    context.moveTo(glass.width / 2, 0);
    context.lineTo(glass.width / 2, glass.height);
    context.moveTo(0, glass.height / 2);
    context.lineTo(glass.width, glass.height / 2);
    context.stroke();
    glass.dataset.corner = x < this.picture.width / 2 ? "right" : "left";
    glass.hidden = false;
  }

  draw() {
    const unit = 1 / this.scale;
    this.svg.replaceChildren();
    for (const [id, quad] of Object.entries(this.quads)) {
      shape(this.svg, "polygon", { class: "quad", points: quad.map((corner) => corner.join(",")).join(" "), "stroke-width": 2 * unit });
      shape(this.svg, "text", { x: quad[0][0], y: quad[0][1] - 4 * unit, "font-size": 14 * unit }, id);
    }
    this.names.forEach((name, i) => {
      const point = this.points[name];
      const group = shape(this.svg, "g", { class: `mark${name === this.current ? " chosen" : ""}`, "data-mark": name });
      if (name in this.expected) {
        const [u, v] = this.expected[name];
        const arm = 6 * unit;
        shape(group, "path", { class: "expected", d: `M${u - arm} ${v}h${2 * arm}M${u} ${v - arm}v${2 * arm}`, "stroke-width": 2 * unit });
        if (point) shape(group, "line", { class: "off", x1: point[0], y1: point[1], x2: u, y2: v, "stroke-width": 2 * unit });
      }
      if (!point) return;
      shape(group, "circle", { class: "halo", cx: point[0], cy: point[1], r: 7 * unit, "stroke-width": 4 * unit });
      shape(group, "circle", { cx: point[0], cy: point[1], r: 7 * unit, "stroke-width": 2 * unit });
      shape(group, "text", { x: point[0] + 10 * unit, y: point[1] - 8 * unit, "font-size": 15 * unit, "stroke-width": 3 * unit }, String(i + 1));
    });
  }
}
