// The member's screen: takes states from the stream, paints them, sends what is touched.

import { AboveView, RESTING, SideView, markedParts } from "./figure.js";
import { clockText, listed, momentOf, parts } from "./moment.js";
import { Plate } from "./plate.js";
import { openStream } from "./stream.js";
import { readTags } from "./tag_reader.js";
import { loadWords } from "./words.js";

const LANGUAGES = ["en", "de"];
const POUNDS = 2.20462262;
const TEMPO_S = 2;
const MOST_BARS = 12;
const STEADY_MS = 1000;
const ENROLMENT_REPS = 2;
const FULL_DEPTH = 0.95; // of the deepest rep of this set
const DIM_AFTER_MS = 120_000; // a machine that nobody uses does not shine on the room; it wakes when somebody sits down

const $ = (id) => document.getElementById(id);
const side = new SideView($("side"));
const above = new AboveView($("above"));
const plate = new Plate($("plate"));

let words;
let state; // undefined before the first, null when the display has lost the machine
const seenMs = new Map(); // when each check last ran
let units = remembered("units") ?? document.documentElement.dataset.units;

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden: the choice then lasts until the next start
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

// writing only what changed keeps the browser from laying out 25 times a second
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function data(element, key, value) {
  if (element.dataset[key] !== value) element.dataset[key] = value;
}

const LENGTHS = ["short", "medium", "long", "longest"];

// the largest letters that fit the banner
function fitHeadline(headline) {
  const key = `${headline}|${$("kicker").textContent === ""}|${$("arrow").dataset.way}|${innerWidth}x${innerHeight}`;
  if ($("headline").dataset.shown === key) return;
  $("headline").dataset.shown = key;
  text($("headline"), headline);
  for (const length of LENGTHS) {
    data($("headline"), "length", length);
    const box = $("headline").parentElement;
    if (box.offsetHeight < $("banner").clientHeight * 0.92 && $("headline").scrollWidth <= box.clientWidth) return;
  }
}

function paintBanner() {
  const moment = momentOf(state, words);
  data(document.body, "mood", moment.mood);
  const icon = `#icon-${moment.icon}`;
  if ($("banner-icon").getAttribute("href") !== icon) $("banner-icon").setAttribute("href", icon);
  text($("kicker"), moment.kicker);
  data($("arrow"), "way", moment.way);
  fitHeadline(moment.headline);
  text($("spoken"), moment.spoken);
}

function paintBar() {
  const tag = state?.member;
  text($("member-text"), tag ? words.ui("member", { tag }) : words.ui("guest"));
  const all = state?.conditions ?? [];
  const looking = all.filter((each) => each.kind === "camera_preview"); // never crowded out: somebody is being seen
  const others = all.filter((each) => !/^(camera|vision|nobody|out_of)/.test(each.kind));
  const shown = [...looking, ...others].slice(0, 2);
  const chips = shown.map((each) => words.condition(each));
  if (state?.help_called) chips.splice(looking.length, 0, words.ui("help_called"));
  if ($("conditions").dataset.shown !== chips.join("|")) {
    $("conditions").dataset.shown = chips.join("|");
    $("conditions").replaceChildren(...chips.map((chip) => Object.assign(document.createElement("li"), { textContent: chip })));
  }
  const { seen, unseen } = state ? parts(state) : { seen: [], unseen: [] };
  if (document.body.dataset.mood === "off" && state && state.phase !== "out_of_order") {
    text($("checks"), words.ui("still_watched"));
    return;
  }
  const quiet = !state || state.phase === "idle";
  const checking = seen.length ? words.ui("checking", { parts: listed(words, seen) }) : "";
  const blind = unseen.length && seen.length ? words.ui("cannot_see", { parts: listed(words, unseen) }) : "";
  text($("checks"), quiet ? "" : [chips.length ? "" : checking, blind].filter(Boolean).join(" · "));
}

// the big number: reps; slow reps shown of those asked for; at rest the seconds
function counted() {
  if (!state) return [words.ui("reps"), "–"];
  if (state.phase === "enrolment") return [words.ui("slow_reps"), `${Math.max(0, ENROLMENT_REPS - state.enrolment_reps_left)}/${ENROLMENT_REPS}`];
  if (state.phase === "rest") return [words.ui("rest"), clockText(state.rest_elapsed_s ?? 0)];
  if (!state.set) return [words.ui("reps"), "0"];
  return [words.ui("reps_of_set", { n: state.set.number }), String(state.set.reps.length)];
}

function paintCount() {
  const [label, number] = counted();
  text($("count-label"), label);
  text($("reps"), number);
  data($("reps"), "digits", String(Math.min(number.length, 5)));
  const known = state?.load_kg !== null && state?.load_kg !== undefined;
  const shown = known ? String(Math.round(units === "lb" ? state.load_kg * POUNDS : state.load_kg)) : state ? words.ui("load_unknown") : "–";
  text($("load"), shown);
  data($("load"), "known", known || !state ? "yes" : "no");
  data($("load"), "digits", String(shown.length));
  text($("load-unit"), known ? units : "");
  const depth = state?.form_check ? Math.max(0, Math.min(1, state.set?.depth ?? 0)) : 0;
  $("depth").style.transform = `scaleY(${depth.toFixed(3)})`;
  data($("depth-band"), "full", depth >= FULL_DEPTH ? "yes" : "no");
}

function paintTempo() {
  const moving = state?.form_check && (state.phase === "lifting" || state.phase === "enrolment");
  const set = moving ? state.set : null;
  const share = Math.min((set?.phase_elapsed_s ?? 0) / TEMPO_S, 1);
  const down = set?.rep_phase === "eccentric" ? share : set?.rep_phase === "bottom" || set?.rep_phase === "concentric" ? 1 : 0;
  const up = set?.rep_phase === "concentric" ? share : 0;
  for (const [id, value] of [["tempo-down", down], ["tempo-up", up]]) {
    $(id).style.transform = `scaleX(${value.toFixed(3)})`;
    data($(id).parentElement, "over", value >= 1 ? "yes" : "no");
  }
}

function paintFigure() {
  const live = state && Object.keys(state.figure).length > 0 && state.phase !== "idle";
  const figure = live ? state.figure : RESTING;
  const warnings = state ? [state.warning, ...state.active_faults].filter(Boolean) : [];
  const marked = live ? markedParts(warnings) : new Set();
  const kneesOut = live ? warnings.filter((each) => each.kind === "knee_valgus").flatMap((each) => each.side ?? ["left", "right"]) : [];
  side.root.classList.toggle("ghost", !live);
  above.root.classList.toggle("ghost", !live);
  if (state?.phase === "idle") side.box = above.box = null;
  side.show(figure, marked, live ? state.lumbar_flexion_deg : 0);
  above.show(figure, marked, kneesOut);
  const { seen } = state ? parts(state) : { seen: [] };
  for (const [id, part] of [["side-label", "back"], ["above-label", "knees"]]) {
    const sees = seen.includes(part);
    data($(id), "seen", sees ? "yes" : "no");
    text($(id), words.ui(`${sees ? "watching" : "not_seen"}_${part}`));
  }
}

function paintFeet() {
  const wrong = Boolean(state?.active_faults.some((each) => each.kind === "feet_mismatch" || each.kind === "heel_lift"));
  plate.show(state?.goal_band ?? [0.35, 0.6], state?.foot_placement ?? null, wrong);
  plate.labels(words.ui("plate_top"), words.ui("plate_bottom"));
  const note = state ? feetNote() : "";
  text($("feet-note"), note);
  data($("feet-note"), "off", /^[↑↓]/.test(note) ? "yes" : "no");
  const quality = state?.seat_quality;
  const notch = state?.seat_notch ?? null;
  const trouble = quality === "between" || (state && quality !== "ok" && notch === null);
  data($("seat"), "trouble", trouble ? "yes" : "no");
  text($("seat-notch"), notch !== null ? String(notch) : quality === "between" ? words.ui("seat_between") : state ? words.ui("seat_unknown") : "–");
}

function feetNote() {
  const feet = [state.foot_placement.left, state.foot_placement.right].filter((each) => each !== null);
  if (feet.length === 0) return words.ui("feet_here");
  const mean = feet.reduce((sum, each) => sum + each, 0) / feet.length;
  if (mean < state.goal_band[0]) return words.ui("feet_lower");
  if (mean > state.goal_band[1]) return words.ui("feet_higher");
  return words.ui("feet_good");
}

const SIGNS = { good: "✓", fault: "!", uncertain: "?" };

function barOf(rep, widest, least) {
  const bar = document.createElement("li");
  bar.dataset.verdict = rep.verdict;
  bar.textContent = SIGNS[rep.verdict];
  bar.setAttribute("aria-label", `${rep.number}: ${words.ui(`verdict_${rep.verdict}`)}`);
  const share = rep.rom_m === null ? 1 : Math.max(rep.rom_m / widest, least);
  bar.style.height = `${(share * 100).toFixed(0)}%`;
  return bar;
}

function paintBars() {
  const reps = (state?.set?.reps ?? []).slice(-MOST_BARS);
  text($("tag-note"), words.ui(state?.member ? "tag_known" : "tag_wanted"));
  const key = JSON.stringify(reps.map((rep) => [rep.number, rep.verdict, rep.rom_m]));
  if ($("bars").dataset.shown === key) return;
  $("bars").dataset.shown = key;
  const widest = Math.max(...reps.map((rep) => rep.rom_m ?? 0), 0.01);
  const empty = Array.from({ length: Math.max(0, 8 - reps.length) }, () => document.createElement("li"));
  empty.forEach((bar) => bar.setAttribute("aria-hidden", "true"));
  $("bars").replaceChildren(...reps.map((rep) => barOf(rep, widest, 0.5)), ...empty);
  $("rest-bars").replaceChildren(...reps.map((rep) => barOf(rep, widest, 0.25)));
  const counts = Object.keys(SIGNS).map((verdict) => [verdict, reps.filter((rep) => rep.verdict === verdict).length]);
  const told = counts.filter(([, n]) => n > 0).map(([verdict, n]) => `${SIGNS[verdict]} ${n} ${words.ui(`count_${verdict}`)}`);
  text($("rest-counts"), told.join("  "));
}

function paintButtons() {
  for (const button of document.querySelectorAll(".goal")) {
    const pressed = state ? state.goal === button.dataset.goal : false;
    button.setAttribute("aria-pressed", String(pressed));
    button.disabled = !state;
  }
  $("silence").disabled = !/^(medium|low):/.test(state?.sound ?? ""); // a high one cannot be silenced
  $("help").disabled = !state;
  data($("help"), "called", state?.help_called ? "yes" : "no");
  text($("help-text"), words.ui(state?.help_called ? "help_called" : "help"));
}

let usedMs = performance.now();
function paintBrightness() {
  const asleep = state?.phase === "idle" && !state.help_called && document.body.dataset.mood === "calm";
  if (!asleep) usedMs = performance.now();
  data(document.body, "dim", performance.now() - usedMs > DIM_AFTER_MS ? "yes" : "no");
}
addEventListener("pointerdown", () => { usedMs = performance.now(); });
addEventListener("keydown", () => { usedMs = performance.now(); });

function paint() {
  if (!words || state === undefined) return;
  data(document.body, "phase", state?.phase ?? "lost");
  paintBanner();
  paintBar();
  paintCount();
  paintTempo();
  paintFigure();
  paintFeet();
  paintBars();
  paintButtons();
  paintBrightness();
  document.body.dataset.seq = state?.seq ?? ""; // which state the screen shows, for whoever measures
}

// a check counts as running until it has been away for a second (as long as a pose counts as fresh):
// a camera that misses a few frames shall not make the words flicker
function steadyChecks(newer) {
  const nowMs = performance.now();
  newer.checks.forEach((check) => seenMs.set(check, nowMs));
  if (!newer.form_check) return newer.checks;
  return [...seenMs.keys()].filter((check) => nowMs - seenMs.get(check) < STEADY_MS);
}

let toastTimer;
function say(message) {
  text($("toast"), message);
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 4000);
}

async function ask(path, body) {
  try {
    const answer = await fetch(`/api/v1/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) say((await answer.json()).detail);
  } catch {
    say(words.ui("not_reached"));
  }
}

async function speak(language) {
  words = await loadWords(language);
  remember("language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) text(element, words.ui(element.dataset.word));
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", words.ui(element.dataset.label));
  const next = LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length];
  $("language").textContent = next.toUpperCase();
  $("language").dataset.next = next;
  $("bars").dataset.shown = "";
  paint();
}

function paintUnits() {
  $("units").textContent = units === "kg" ? "lb" : "kg";
  paint();
}

$("goals").addEventListener("click", (event) => {
  const button = event.target.closest(".goal");
  if (button) ask("goal", { goal: button.dataset.goal });
});
$("silence").addEventListener("click", () => ask("acknowledge", {}));
$("help").addEventListener("click", () => ask("help", { call: !state?.help_called }));
$("language").addEventListener("click", () => speak($("language").dataset.next));
$("units").addEventListener("click", () => {
  units = units === "kg" ? "lb" : "kg";
  remember("units", units);
  paintUnits();
});
readTags((tag) => ask("tag", { tag }));

const wanted = remembered("language") ?? navigator.language.slice(0, 2);
await speak(LANGUAGES.includes(wanted) ? wanted : "en");
paintUnits();
addEventListener("resize", paint);
openStream(
  (newer) => {
    state = { ...newer, checks: steadyChecks(newer) };
    paint();
  },
  () => {
    state = null;
    paint();
  },
);
