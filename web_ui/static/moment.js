// What the screen says about one state: mood, icon, words, arrow. No drawing here.

import { capital } from "./words.js";

const PARTS = [
  ["back", "lumbar_flexion"],
  ["knees", "valgus"],
  ["feet", "foot_placement"],
];

// why no form is checked, the most useful cause first
const CAUSES = [
  "vision_lost",
  "camera_lost",
  "camera_dark",
  "camera_blurred",
  "camera_moved",
  "camera_uncalibrated",
  "nobody_in_view",
];

const STARTS_WITHIN_S = 20; // vision loads its model in the machine's first seconds: nothing is wrong then

// where the arrow points; the pad is on the left of the picture, the plate on the right
const WAYS = {
  back_rounding: "left",
  back_arching: "left",
  hips_forward: "left",
  knee_lockout: "down",
  heel_lift: "down",
  partial_depth: "down",
  load_dropped: "up",
  fast_drop: "up",
};

export function parts(state) {
  const seen = PARTS.filter(([, measure]) => state.checks.includes(measure)).map(([part]) => part);
  const unseen = PARTS.map(([part]) => part).filter((part) => !seen.includes(part));
  return { seen, unseen };
}

export function listed(words, names) {
  const texts = names.map((name) => words.ui(`part_${name}`));
  if (texts.length < 2) return texts.join("");
  return `${texts.slice(0, -1).join(", ")} ${words.ui("and")} ${texts.at(-1)}`;
}

function wayOf(warning, state) {
  if (warning.kind === "knee_valgus") return warning.side ?? "apart";
  if (warning.kind === "feet_mismatch") {
    const feet = [state.foot_placement.left, state.foot_placement.right].filter((each) => each !== null);
    const middle = (state.goal_band[0] + state.goal_band[1]) / 2;
    if (feet.length === 0) return "none";
    return feet.reduce((sum, each) => sum + each, 0) / feet.length > middle ? "up" : "down";
  }
  return WAYS[warning.kind] ?? "none";
}

function ofWarning(state, words) {
  const warning = state.warning;
  const { what, do: action } = words.fault(warning);
  const mood = { high: "high", medium: "medium", low: "notice" }[warning.priority];
  const icon = { high: "stop", medium: "warn", low: "hint" }[warning.priority];
  return { mood, icon, kicker: what, headline: action, way: wayOf(warning, state), spoken: warning.sentence };
}

// the cameras have not seen anything yet, and are not expected to have
function isStarting(state) {
  if (state.cameras.some((each) => each.condition === "starting")) return true;
  const silent = state.conditions.find((each) => each.kind === "vision_lost");
  return state.pose_age_s === null && silent !== undefined && state.t_s - silent.since_s < STARTS_WITHIN_S;
}

function ofStart(state, words) {
  const idle = state.phase === "idle";
  return { mood: idle ? "wait" : "off", icon: idle ? "rest" : "off", kicker: words.ui(idle ? "one_moment" : "form_check_off"), headline: words.ui("camera_starting") };
}

function ofFormCheckOff(state, words) {
  if (isStarting(state)) return ofStart(state, words);
  const cause = CAUSES.map((kind) => state.conditions.find((each) => each.kind === kind)).find(Boolean);
  return {
    mood: "off",
    icon: "off",
    kicker: words.ui("form_check_off"),
    headline: cause ? words.condition(cause) : words.ui("no_fresh_picture"),
  };
}

function ofLifting(state, words) {
  const { seen } = parts(state);
  const body = seen.filter((part) => part !== "feet");
  const headline = body.length
    ? words.ui(body.length > 1 ? "look_good" : `looks_good_${body[0]}`, { parts: capital(listed(words, body)) })
    : words.ui("keep_going");
  return { mood: "ok", icon: "check", kicker: state.advice.map((each) => words.sentence(each))[0] ?? "", headline };
}

export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function ofPhase(state, words) {
  const advice = state.advice.map((each) => words.sentence(each));
  switch (state.phase) {
    case "enrolment": {
      const left = state.enrolment_reps_left;
      const asked = words.ui(left === 1 ? "enrolment_one_left" : "enrolment_left", { n: left });
      if (state.advice.length > 1) {
        // why the last try was no use, and what to do instead
        const [why, again] = advice[0].split(". ");
        return { mood: "info", icon: "person", kicker: again ?? asked, headline: why };
      }
      return { mood: "info", icon: "person", kicker: asked, headline: words.ui("enrolment") };
    }
    case "seated":
      return { mood: "info", icon: "seat", kicker: advice[1] ?? words.ui("seated_note"), headline: advice[0] ?? words.ui("seated") };
    case "ready":
      return { mood: "ok", icon: "check", kicker: words.ui("ready"), headline: advice[0] ?? words.ui("brace") };
    case "lifting":
      return ofLifting(state, words);
    case "rest": {
      return { mood: "info", icon: "rest", kicker: words.ui("rest_of_set", { n: state.set?.number ?? 1 }), headline: advice[0] ?? words.ui("rest_headline") };
    }
    default:
      return { mood: "calm", icon: "hint", kicker: words.ui("welcome"), headline: words.ui("choose_goal") };
  }
}

function isOff(state) {
  if (state.form_check) return false;
  if (state.phase !== "idle") return true;
  return isStarting(state) || state.conditions.some((each) => CAUSES.includes(each.kind) && each.kind !== "nobody_in_view");
}

// whoever is at the machine reads first that somebody sees them; a warning alone is more urgent
function told(moment, state, words) {
  const looking = state.conditions.find((each) => each.kind === "camera_preview");
  return looking ? { ...moment, kicker: words.condition(looking) } : moment;
}

// state: a LiveState, or null when nothing came for two seconds
export function momentOf(state, words) {
  const plain = { way: "none", spoken: "", kicker: "" };
  if (state === null) {
    return { ...plain, mood: "off", icon: "off", kicker: words.ui("form_check_off"), headline: words.ui("display_lost") };
  }
  if (state.phase === "out_of_order") {
    const out = { mood: "off", icon: "tool", kicker: words.ui("out_of_order"), headline: words.ui("out_of_order_note") };
    return told({ ...plain, ...out }, state, words);
  }
  if (state.warning !== null) return ofWarning(state, words);
  if (state.confirmation !== null) {
    const [first, second] = words.sentence(state.confirmation).split(" - ");
    const headline = second ? capital(second) : first;
    return { ...plain, mood: "confirmed", icon: "check", kicker: second ? first : "", headline };
  }
  return told({ ...plain, ...(isOff(state) ? ofFormCheckOff(state, words) : ofPhase(state, words)) }, state, words);
}
