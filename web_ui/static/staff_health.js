// Keeps the health panel current: the server draws it, this fetches it again.

const EVERY_MS = 4000;
const panel = document.getElementById("health");

setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("/staff/health", { redirect: "error" });
    if (answer.ok) {
      const text = await answer.text();
      if (panel.innerHTML !== text) panel.innerHTML = text;
      panel.classList.remove("old");
      return;
    }
  } catch {
    // shown below as an old panel
  }
  panel.classList.add("old");
}, EVERY_MS);
