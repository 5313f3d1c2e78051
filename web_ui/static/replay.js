// One alert's replay: stick figures and curves, moved by a slider.

import { AboveView, SideView, markedParts } from "./figure.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 96;
const CHARTS = [
  { title: "Lower back, deg (+ rounding)", names: ["lumbar_flexion_deg"] },
  { title: "Valgus, deg (+ inwards)", names: ["valgus_left_deg", "valgus_right_deg"] },
  { title: "Knee flexion, deg", names: ["knee_flexion_left_deg", "knee_flexion_right_deg"] },
  { title: "Carriage, m", names: ["carriage_m"] },
  { title: "Load, kg", names: ["load_kg"] },
];

const $ = (id) => document.getElementById(id);

function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

class Chart {
  constructor(parent, { title, names }, times, curves, fault) {
    this.series = names.map((name) => curves[name]).filter((values) => values?.some((value) => value !== null));
    this.drawn = this.series.length > 0;
    if (!this.drawn) return;
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    this.reading = document.createElement("b");
    caption.append(`${title} `, this.reading);
    const svg = shape(figure, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
    figure.prepend(caption);
    parent.append(figure);
    const values = this.series.flat().filter((value) => value !== null);
    const low = Math.min(...values, 0);
    const high = Math.max(...values, low + 1e-6);
    this.x = (t) => ((t - times[0]) / (times.at(-1) - times[0] || 1)) * WIDTH;
    const y = (value) => HEIGHT - 6 - ((value - low) / (high - low)) * (HEIGHT - 12);
    const from = this.x(Math.max(fault[0], times[0]));
    shape(svg, "rect", { class: "during", x: from, y: 0, width: Math.max(this.x(Math.min(fault[1], times.at(-1))) - from, 2), height: HEIGHT });
    shape(svg, "line", { class: "zero", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) });
    this.series.forEach((series, i) => shape(svg, "path", { class: `curve curve-${i}`, d: this.path(series, times, y) }));
    this.cursor = shape(svg, "line", { class: "cursor", y1: 0, y2: HEIGHT });
  }

  // gaps where nothing was seen stay gaps
  path(series, times, y) {
    let pen = "M";
    let d = "";
    series.forEach((value, i) => {
      if (value === null) pen = "M";
      else {
        d += `${pen}${this.x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
      }
    });
    return d;
  }

  show(index, times) {
    if (!this.drawn) return;
    const x = this.x(times[index]);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.reading.textContent = this.series.map((series) => (series[index] === null ? "–" : series[index].toFixed(Math.abs(series[index]) < 3 ? 2 : 0))).join(" / ");
  }
}

class Player {
  constructor({ alert, replay }) {
    this.alert = alert;
    this.replay = replay;
    this.fault = [0, alert.duration_s ?? replay.t_s.at(-1)];
    this.side = new SideView($("side"));
    this.above = new AboveView($("above"));
    this.charts = CHARTS.map((chart) => new Chart($("curves"), chart, replay.t_s, replay.curves, this.fault));
    $("moment").max = String(replay.t_s.length - 1);
    $("moment").addEventListener("input", () => this.show(Number($("moment").value)));
    $("play").addEventListener("click", () => this.toggle());
    this.good = null;
    // the picture's frame is that of all moments, so that it stands still
    for (let i = 0; i < replay.t_s.length; i += 1) this.draw(i);
    this.show(Math.max(0, replay.t_s.findIndex((t) => t >= 0)));
  }

  draw(index) {
    const figure = this.replay.figure[index];
    if (!figure || Object.keys(figure).length === 0) return;
    const t = this.replay.t_s[index];
    const during = t >= this.fault[0] && t <= this.fault[1];
    const marked = during ? markedParts([this.alert]) : new Set();
    const kneesOut = during && this.alert.kind === "knee_valgus" ? [this.alert.side].filter(Boolean) : [];
    this.side.show(figure, marked, this.replay.curves.lumbar_flexion_deg?.[index] ?? 0);
    this.above.show(figure, marked, kneesOut);
  }

  // a good rep beside it, at the same share of the way through the rep
  compare(good) {
    const views = [new SideView($("good-side")), new AboveView($("good-above"))];
    const { motion } = good;
    const draw = (i) => {
      if (Object.keys(motion.figure[i] ?? {}).length === 0) return;
      views[0].show(motion.figure[i], new Set(), motion.curves.lumbar_flexion_deg?.[i] ?? 0);
      views[1].show(motion.figure[i], new Set(), []);
    };
    motion.t_s.forEach((_, i) => draw(i));
    views[0].shareFrame(this.side);
    views[1].shareFrame(this.above);
    $("good").hidden = false;
    $("good-link").href = $("good-link").dataset.set.replace("SET", encodeURIComponent(good.set_id));
    $("good-link").textContent = `rep ${good.number} of ${good.set_id === this.alert.set_id ? "the same set" : "the same member"}`;
    this.good = { motion, draw, rate: good.duration_s / (good.alert_duration_s || good.duration_s), after: good.alert_after_s ?? good.duration_s / 2 };
    this.show(this.index);
  }

  drawGood(t) {
    const wanted = (t + this.good.after) * this.good.rate;
    const times = this.good.motion.t_s;
    const next = times.findIndex((each) => each >= wanted);
    this.good.draw(next === -1 ? times.length - 1 : next);
  }

  show(index) {
    this.index = index;
    this.draw(index);
    if (this.good) this.drawGood(this.replay.t_s[index]);
    $("moment").value = String(index);
    $("moment-text").textContent = `${this.replay.t_s[index].toFixed(1)} s`;
    this.charts.forEach((chart) => chart.show(index, this.replay.t_s));
  }

  toggle() {
    if (this.playing) return this.stop();
    const times = this.replay.t_s;
    if (this.index >= times.length - 1) this.show(0);
    const startMs = performance.now() - times[this.index] * 1000;
    $("play").textContent = "Pause";
    this.playing = true;
    const step = (nowMs) => {
      if (!this.playing) return;
      const t = (nowMs - startMs) / 1000;
      const next = times.findIndex((each) => each > t);
      if (next === -1) {
        this.show(times.length - 1);
        this.stop();
        return;
      }
      if (next - 1 !== this.index) this.show(Math.max(next - 1, 0));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    this.playing = false;
    $("play").textContent = "Play";
  }
}

const answer = await fetch($("replay").dataset.source);
if (answer.ok) {
  const player = new Player(await answer.json());
  const good = await fetch($("good").dataset.source);
  if (good.ok) player.compare(await good.json());
  document.body.dataset.replay = "ready";
} else $("moment-text").textContent = "The replay could not be loaded.";
