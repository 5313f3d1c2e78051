// The page that calibrates a camera: composes the preview, the points or stickers, the fit and taking it over.

import { PointPicker } from "./point_picker.js";
import { Preview, reason } from "./preview.js";

const LOOKS = 8;
const LOOK_EVERY_MS = 300;
const KEPT_MS = 3600 * 1000; // as long as the other calibrations remember what was measured
const WORDS = [[1, "exact"], [3, "good"], [6, "fair: nudge it"], [Infinity, "far off: is it the right point?"]];

const $ = (id) => document.getElementById(id);
const page = $("camera");
const { base, token } = page.dataset;
const buttons = [...document.querySelectorAll("[data-point]")];
const titles = Object.fromEntries(buttons.map((each) => [each.dataset.point, each.querySelector("span").textContent]));
const required = buttons.filter((each) => !each.dataset.optional).map((each) => each.dataset.point);
const picker = new PointPicker($("picture"), buttons.map((each) => each.dataset.point), paint);
const ways = { points: true, stickers: false }; // by which of the two
let fitId = null;
let profileText = null;
let asking = false;
let looked = 0;

function keepPoints() {
  sessionStorage.setItem(`points ${base}`, JSON.stringify({ at: Date.now(), points: picker.points }));
}

// what was placed before the page was left or loaded again
function takeUpPoints() {
  const { at, points } = JSON.parse(sessionStorage.getItem(`points ${base}`) ?? "{}");
  if (points === undefined || Date.now() - at > KEPT_MS) return;
  picker.points = points;
  picker.current = picker.names.find((name) => !(name in points)) ?? picker.names[0];
}

class Refusal extends Error {}

async function ask(what, fields = {}) {
  const body = new FormData();
  for (const [key, value] of Object.entries({ form_token: token, ...fields })) body.append(key, value);
  let answer;
  try {
    answer = await fetch(`${base}/${what}`, { method: "POST", body, redirect: "error" });
  } catch {
    throw new Refusal("The machine does not answer.");
  }
  if (!answer.ok) throw new Refusal((await reason(answer)) ?? "The page was open for too long; load it again.");
  return answer.json();
}

// one thing at a time; what went wrong is shown, never swallowed
async function doing(work) {
  if (asking) return;
  asking = true;
  say(null);
  paint();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.message);
  } finally {
    asking = false;
    paint();
  }
}

function say(problem) {
  $("problem").hidden = problem === null;
  $("problem").textContent = problem ?? "";
}

const preview = new Preview(
  base,
  (bitmap) => {
    picker.size(bitmap.width, bitmap.height);
    $("shown").getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    if (!$("blank").hidden) {
      $("blank").hidden = true;
      document.body.dataset.preview = "shown";
      enablePicking();
    }
  },
  (text) => { $("left").textContent = text; },
  (text) => {
    $("shown").getContext("2d").clearRect(0, 0, $("shown").width, $("shown").height);
    $("blank").hidden = false;
    $("left").textContent = text;
    document.body.dataset.preview = "over";
    enablePicking();
    paint();
  },
);

function enablePicking() {
  picker.enable(ways.points && $("blank").hidden);
}

function miss(value) {
  return WORDS.find(([limit]) => value < limit)[1];
}

function paintPoints() {
  buttons.forEach((button, i) => {
    const name = button.dataset.point;
    const point = picker.points[name];
    const note = button.querySelector("small");
    note.textContent = point ? `${point[0].toFixed(0)}, ${point[1].toFixed(0)}` : button.dataset.optional ? "optional" : "not placed";
    note.dataset.state = point ? "placed" : "open";
    button.setAttribute("aria-pressed", String(name === picker.current));
    button.dataset.number = String(i + 1);
  });
  const chosen = buttons.find((each) => each.dataset.point === picker.current);
  $("current-title").textContent = titles[picker.current];
  $("current-where").textContent = chosen.dataset.where;
  document.querySelectorAll("[data-place]").forEach((each) => each.classList.toggle("chosen", each.dataset.place === picker.current));
  $("remove").disabled = !(picker.current in picker.points);
}

function paint() {
  paintPoints();
  keepPoints();
  const missing = required.filter((name) => !(name in picker.points)).length;
  const ready = ways.points ? missing === 0 : looked >= LOOKS;
  // a fit is of what was placed when it was made
  if (ways.points && fitId !== null && Object.keys(picker.expected).length === 0) forgetFit();
  $("fit").disabled = asking || !ready;
  $("use").disabled = asking || fitId === null;
  $("find").disabled = asking;
  $("show").disabled = asking || preview.running;
  $("hide").disabled = !preview.running;
  let why = "";
  if (!ready) why = ways.points ? `${missing} more ${missing === 1 ? "point" : "points"} to place.` : "Find the stickers first.";
  else if (fitId === null) why = "Nothing changes before you use it.";
  $("why").textContent = why;
}

function forgetFit() {
  fitId = null;
  $("result").replaceChildren();
  $("misses").hidden = true;
}

function wish() {
  const machine = $("machine").value;
  const asked = { machine };
  if (machine === "own") {
    if (profileText === null) throw new Refusal("Choose the file of your machine's profile first.");
    Object.assign(asked, { machine: $("profile").files[0].name, profile: profileText });
  }
  const [key, value] = $("lens").value.split(":");
  if (value !== undefined) asked[key] = key === "lens" ? value : Number(value);
  else {
    const typed = Number($("lens-number").value.replace(",", "."));
    if (!(typed > 0)) throw new Refusal(`Type the ${key === "hfov_deg" ? "field of view in degrees" : "focal length in pixels"} first.`);
    asked[key] = typed;
  }
  if (ways.points) asked.points = picker.points;
  else asked.stickers = $("family").value;
  return JSON.stringify(asked);
}

function line(text, kind) {
  return Object.assign(document.createElement("p"), { textContent: text, className: kind });
}

function row(each) {
  const made = document.createElement("tr");
  const name = each.name.replace(/^point /, "");
  const cells = [titles[name] ?? each.name, `${each.miss_px.toFixed(1)} px`, miss(each.miss_px)];
  made.append(...cells.map((text, i) => Object.assign(document.createElement("td"), { textContent: text, className: i === 1 ? "n" : "" })));
  return made;
}

async function fit() {
  forgetFit();
  const found = await ask("fit", { wish: wish() });
  fitId = found.refused === null ? found.fit : null;
  const lines = found.refused === null ? found.told.map((text) => line(text, "")) : [line(`Not usable: ${found.refused}`, "message")];
  $("result").replaceChildren(...lines);
  $("misses").querySelector("tbody").replaceChildren(...found.misses.map(row));
  $("misses").hidden = found.misses.length === 0;
  // where the machine's points would be seen, also those that nobody has clicked
  picker.expected = found.points ?? Object.fromEntries(found.misses.map((each) => [each.name.replace(/^point /, ""), each.expected]));
  picker.draw();
  document.body.dataset.fit = found.refused === null ? "good" : "refused";
}

async function findStickers() {
  looked = 0;
  forgetFit();
  const seen = new Set();
  for (let i = 1; i <= LOOKS; i += 1) {
    const found = await ask("stickers", { family: $("family").value });
    Object.keys(found.stickers).forEach((id) => seen.add(id));
    picker.quads = found.stickers;
    picker.draw();
    $("found").textContent = `Look ${i} of ${LOOKS}. Seen: ${[...seen].sort((a, b) => a - b).join(", ") || "none"}`;
    await new Promise((done) => { setTimeout(done, LOOK_EVERY_MS); });
  }
  looked = LOOKS;
}

// the machine as it was calibrated before knows no stickers; its model does
function chooseProfileOfSameKind() {
  const { kind } = $("machine").selectedOptions[0].dataset;
  const names = [...$("machine").options].map((each) => each.value);
  $("machine").value = names.includes(kind) ? kind : "sled45";
}

function goBy(way) {
  ways.points = way === "points";
  ways.stickers = !ways.points;
  $("by-points").setAttribute("aria-pressed", String(ways.points));
  $("by-stickers").setAttribute("aria-pressed", String(ways.stickers));
  $("points-way").hidden = !ways.points;
  $("current").hidden = !ways.points;
  $("stickers-way").hidden = ways.points;
  picker.quads = {};
  picker.expected = {};
  if (ways.stickers && $("machine").value === "current") chooseProfileOfSameKind();
  looked = 0;
  forgetFit();
  enablePicking();
  paint();
}

function chooseMachine() {
  $("own-file").hidden = $("machine").value !== "own";
  forgetFit();
  paint();
}

function chooseLens() {
  const typed = !$("lens").value.includes(":");
  $("lens-value").hidden = !typed;
  if (typed) $("lens-value").querySelector("span").textContent = $("lens").value === "hfov_deg" ? "Degrees" : "Pixels";
  forgetFit();
  paint();
}

$("show").addEventListener("click", () => doing(async () => {
  await ask("preview");
  preview.run();
}));
$("hide").addEventListener("click", () => {
  preview.stop("not shown");
  doing(() => ask("hide"));
});
addEventListener("pagehide", () => {
  if (!preview.running) return;
  const body = new FormData();
  body.append("form_token", token);
  fetch(`${base}/hide`, { method: "POST", body, keepalive: true });
});
$("point-list").addEventListener("click", (event) => {
  const button = event.target.closest("[data-point]");
  if (button) picker.choose(button.dataset.point);
});
$("remove").addEventListener("click", () => picker.remove());
$("by-points").addEventListener("click", () => goBy("points"));
$("by-stickers").addEventListener("click", () => goBy("stickers"));
$("find").addEventListener("click", () => doing(findStickers));
$("fit").addEventListener("click", () => doing(fit));
$("use").addEventListener("click", () => doing(async () => {
  await ask("keep", { fit: fitId });
  picker.points = {};
  preview.stop("taken over");
  location.assign(page.dataset.done);
}));
$("machine").addEventListener("change", chooseMachine);
$("lens").addEventListener("change", chooseLens);
$("lens-number").addEventListener("input", () => { forgetFit(); paint(); });
$("profile").addEventListener("change", async () => {
  profileText = (await $("profile").files[0]?.text()) ?? null;
  forgetFit();
  paint();
});
takeUpPoints();
chooseLens();
document.body.dataset.ready = "yes";
