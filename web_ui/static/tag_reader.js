// A tag reader that types like a keyboard: characters in quick succession, ended by Enter.

const PAUSE_MS = 120;
const SHORTEST = 4;

export function readTags(onTag) {
  let typed = "";
  let lastMs = 0;
  addEventListener("keydown", (event) => {
    const nowMs = performance.now();
    if (nowMs - lastMs > PAUSE_MS) typed = "";
    lastMs = nowMs;
    if (event.key === "Enter") {
      if (typed.length >= SHORTEST) {
        event.preventDefault(); // else Enter would also press the focused button
        onTag(typed);
      }
      typed = "";
    } else if (/^[A-Za-z0-9_.:-]$/.test(event.key)) {
      typed += event.key;
    }
  });
}
