// While a step is measured: how far it is, and no second press. Without this script the page works as well.

const form = document.getElementById("measure");

function begin() {
  const waitMs = Number(form.dataset.waitS) * 1000;
  const bar = form.querySelector("progress");
  const startMs = performance.now();
  form.querySelector("button").disabled = true;
  bar.hidden = false;
  document.getElementById("measuring").textContent = "measuring: leave the machine alone";
  const step = () => {
    bar.value = Math.min(100, ((performance.now() - startMs) / waitMs) * 100);
    requestAnimationFrame(step);
  };
  step();
}

if (form) {
  form.addEventListener("submit", () => setTimeout(begin, 0)); // after its values were taken
  // the field that is wanted, unless somebody reads a refusal first
  if (!document.querySelector("[role=alert]")) form.querySelector("input:not([type=hidden])")?.focus();
}
