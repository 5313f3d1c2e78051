// Keeps the panels of health current: the server draws them, this fetches them again.

const EVERY_MS = 4000;

async function refresh(panel) {
  try {
    const answer = await fetch(panel.dataset.source, { redirect: "error" });
    if (answer.ok) {
      const text = await answer.text();
      // a form that somebody is about to use is not taken from under the finger
      if (panel.innerHTML !== text && !panel.contains(document.activeElement)) panel.innerHTML = text;
      panel.classList.remove("old");
      return;
    }
  } catch {
    // shown below as an old panel
  }
  panel.classList.add("old");
}

setInterval(() => {
  if (!document.hidden) document.querySelectorAll("[data-source]").forEach(refresh);
}, EVERY_MS);
