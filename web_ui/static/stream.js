// The live stream: calls onState with each state, onLost when none has come for two seconds.

const LOST_MS = 2000;

export function openStream(onState, onLost) {
  let lastMs = performance.now();
  let lost = false;
  let source;

  function connect() {
    source = new EventSource("/api/v1/live");
    source.addEventListener("state", (event) => {
      lastMs = performance.now();
      lost = false;
      onState(JSON.parse(event.data));
    });
    source.onerror = () => {
      // a refused stream (503) is closed for good by the browser: open another
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
    };
  }

  setInterval(() => {
    if (!lost && performance.now() - lastMs > LOST_MS) {
      lost = true;
      onLost();
    }
  }, 200);
  connect();
}
