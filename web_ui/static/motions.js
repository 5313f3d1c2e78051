// The reps of a set as small multiples: knee angle, load and plate speed over time, faults marked.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 200;
const HEIGHT = 54;
const panel = document.getElementById("motions");

function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

const mean = (a, b) => (a === null ? b : b === null ? a : (a + b) / 2);
const known = (values) => values.filter((value) => value !== null && value !== undefined);

// speed of the plate between neighbouring frames, m/s, + = lowering
function speeds({ t_s: times, curves }) {
  const at = curves.carriage_m ?? [];
  return times.map((t, i) => (i === 0 || at[i] === null || at[i - 1] === null || t <= times[i - 1] ? null : (at[i] - at[i - 1]) / (t - times[i - 1])));
}

const ROWS = [
  ["Knee", "deg", (rep) => rep.t_s.map((_, i) => mean(rep.curves.knee_flexion_left_deg[i], rep.curves.knee_flexion_right_deg[i])), 0],
  ["Load", "kg", (rep) => rep.curves.load_kg, 0],
  ["Speed", "m/s", speeds, 2],
];

// every rep on the same scale, so that they can be compared
function scales(reps) {
  return ROWS.map(([, , values]) => {
    const all = known(reps.flatMap(values));
    return all.length ? [Math.min(...all, 0), Math.max(...all, 0.01)] : null;
  });
}

function path(times, values, longest, [low, high]) {
  let pen = "M";
  let d = "";
  values.forEach((value, i) => {
    if (value === null || value === undefined) pen = "M";
    else {
      d += `${pen}${((times[i] / longest) * WIDTH).toFixed(1)} ${(HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8)).toFixed(1)}`;
      pen = "L";
    }
  });
  return d;
}

function card(rep, told, longest, ranges) {
  const figure = document.createElement("figure");
  figure.className = `rep ${told.verdict}`;
  const caption = document.createElement("figcaption");
  caption.textContent = `Rep ${rep.number} · ${told.verdict}${told.faults ? `: ${told.faults}` : ""}`;
  figure.append(caption);
  ROWS.forEach(([name, unit, values, digits], row) => {
    const series = values(rep);
    const line = document.createElement("div");
    const text = document.createElement("small");
    const all = known(series);
    text.textContent = all.length ? `${name}, ${unit}: ${Math.min(...all).toFixed(digits)} to ${Math.max(...all).toFixed(digits)}` : `${name}: not seen`;
    const svg = shape(line, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const [from, to] of told.spans) {
      shape(svg, "rect", { class: "during", x: (from / longest) * WIDTH, y: 0, width: Math.max(((to - from) / longest) * WIDTH, 2), height: HEIGHT });
    }
    if (ranges[row] && all.length) shape(svg, "path", { class: "curve", d: path(rep.t_s, series, longest, ranges[row]) });
    line.append(text);
    figure.append(line);
  });
  return figure;
}

const NONE = { verdict: "", faults: "", spans: [] };
const answer = await fetch(panel.dataset.source);
const { items } = answer.ok ? await answer.json() : { items: [] };
const told = JSON.parse(document.getElementById("reps-told").content.textContent);
const longest = Math.max(...items.map((rep) => rep.t_s.at(-1) ?? 0), 1);
const ranges = scales(items);
if (items.length === 0) panel.textContent = "No curves of this set are kept.";
else panel.replaceChildren(...items.map((rep) => card(rep, told[rep.number] ?? NONE, longest, ranges)));
panel.dataset.shown = "yes";
