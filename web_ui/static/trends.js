// Plots of trends by plotly, from the API's figures; the same figures as a table for who cannot see them.

const $ = (id) => document.getElementById(id);
const KINDS = {
  back_rounding: "Back rounding", back_arching: "Back arching", knee_valgus: "Knee caving in", knee_lockout: "Knee lockout",
  hips_forward: "Hips forward", heel_lift: "Heel lift", fast_drop: "Fast drop", partial_depth: "Partial depth",
  feet_mismatch: "Feet off the goal", seat_misfit: "Seat misfit", seat_unlocked: "Seat unlocked", overload: "Overload", load_dropped: "Load dropped",
};
const GOALS = { glutes: "Glutes", quads: "Quads", balanced: "Balanced", warm_up: "Warm-up" };
// Okabe and Ito's palette, told apart by the colour-blind too; and a dash of its own for each line
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid"];
const MOST_KINDS = 6;
const SYMBOLS = ["circle", "square", "diamond", "cross", "x", "triangle-up"];
const NAMES = { week: "Week of", seat: "Seat notch", goal: "Goal", load: "Load, kg" };

function named(by, key) {
  if (key === null) return "unknown";
  if (by === "goal") return GOALS[key] ?? key;
  if (by === "load") return `${key}–${key + 20}`;
  return String(key);
}

function layout(title, extra = {}) {
  const style = getComputedStyle(document.body);
  const ink = style.color;
  const edge = style.getPropertyValue("--edge");
  return {
    margin: { l: 52, r: 12, t: 36, b: 48 }, height: 340, font: { family: style.fontFamily, color: ink, size: 13 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
    hoverlabel: { bgcolor: style.getPropertyValue("--card"), font: { color: ink } },
    xaxis: { type: "category", gridcolor: edge, automargin: true }, yaxis: { title: { text: title }, rangemode: "tozero", gridcolor: edge, zerolinecolor: edge },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style.getPropertyValue("--quiet"), activecolor: ink }, legend: { orientation: "h", y: -0.25 }, ...extra,
  };
}

const OPTIONS = { displayModeBar: "hover", displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

function faultTraces(body, keys) {
  const reps = new Map(body.reps.map((row) => [row.key, row.reps]));
  const totals = new Map();
  for (const row of body.faults) totals.set(row.kind, (totals.get(row.kind) ?? 0) + row.alerts);
  const kinds = [...totals.entries()].sort((a, b) => b[1] - a[1]).slice(0, MOST_KINDS).map(([kind]) => kind);
  return kinds.map((kind, i) => {
    const counts = new Map(body.faults.filter((row) => row.kind === kind).map((row) => [row.key, row.alerts]));
    const y = keys.map((key) => (reps.get(key) ? (100 * (counts.get(key) ?? 0)) / reps.get(key) : null));
    return {
      x: keys.map((key) => named(body.by, key)), y: y.map((each) => each && Math.round(each * 10) / 10), name: KINDS[kind] ?? kind, type: "scatter", mode: "lines+markers",
      line: { color: COLOURS[i], dash: DASHES[i] }, marker: { symbol: SYMBOLS[i], size: 8 },
    };
  });
}

function verdictTraces(body, keys) {
  const rows = new Map(body.reps.map((row) => [row.key, row]));
  const looks = [["good", "Good", "#009e73", ""], ["fault", "With a fault", "#e69f00", "/"], ["uncertain", "Uncertain", "#8a97a3", "."]];
  return looks.map(([verdict, name, color, pattern]) => ({
    x: keys.map((key) => named(body.by, key)), y: keys.map((key) => rows.get(key)?.[verdict] ?? 0), name, type: "bar", marker: { color, pattern: { shape: pattern } },
  }));
}

function cell(row, text, number = true) {
  const made = document.createElement("td");
  made.textContent = text;
  if (number) made.className = "n";
  row.append(made);
}

function table(body) {
  $("key-name").textContent = NAMES[body.by];
  const alerts = new Map();
  for (const row of body.faults) alerts.set(row.key, (alerts.get(row.key) ?? 0) + row.alerts);
  for (const each of body.reps) {
    const row = document.createElement("tr");
    cell(row, named(body.by, each.key), false);
    for (const value of [each.sets, each.reps, each.good, each.fault, each.uncertain]) cell(row, String(value));
    cell(row, each.reps ? ((100 * (alerts.get(each.key) ?? 0)) / each.reps).toFixed(1) : "–");
    $("figures").append(row);
  }
}

async function show() {
  const answer = await fetch($("plots").dataset.source);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  const keys = body.reps.map((row) => row.key);
  table(body);
  if (keys.length === 0) throw new Error("No set fits this filter yet.");
  await Plotly.newPlot("faults-plot", faultTraces(body, keys), layout("alerts per 100 reps"), OPTIONS);
  await Plotly.newPlot("reps-plot", verdictTraces(body, keys), layout("reps", { barmode: "stack" }), OPTIONS);
  document.body.dataset.plotted = "yes";
}

document.addEventListener("click", (event) => {
  const id = event.target.dataset?.save;
  if (id) Plotly.downloadImage(id, { format: "png", width: 1200, height: 500, filename: `legpress-${id}` });
});
try {
  await show();
} catch (error) {
  $("trend-problem").textContent = error.message;
  $("trend-problem").hidden = false;
}
