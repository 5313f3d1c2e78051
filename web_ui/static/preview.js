// The camera's picture, three times a second while a preview lasts, onto a canvas. Nothing of it is kept.

const EVERY_MS = 330;

export class Preview {
  // `shown(bitmap, leftS)` gets each picture, `told(text)` how it stands, `over(text)` why there is none any more
  constructor(base, shown, told, over) {
    Object.assign(this, { base, shown, told, over });
    this.running = false;
  }

  run() {
    if (this.running) return;
    this.running = true;
    this.next();
  }

  stop(text) {
    if (!this.running) return;
    this.running = false;
    this.over(text);
  }

  async next() {
    if (!this.running) return;
    if (!document.hidden) await this.once();
    if (this.running) setTimeout(() => this.next(), EVERY_MS);
  }

  async once() {
    let answer;
    try {
      answer = await fetch(`${this.base}/picture`, { cache: "no-store", redirect: "error" });
    } catch {
      this.stop("The machine does not answer.");
      return;
    }
    if (answer.status === 204) {
      this.told("being announced at the machine …");
      return;
    }
    if (!answer.ok) {
      this.stop((await reason(answer)) ?? "There is no picture.");
      return;
    }
    const leftS = Number(answer.headers.get("X-Preview-Left"));
    const bitmap = await createImageBitmap(await answer.blob());
    if (!this.running) return;
    this.shown(bitmap, leftS);
    this.told(`ends by itself in ${Math.ceil(leftS)} s`);
  }
}

// the sentence of a refusal, null where the answer holds none
export async function reason(answer) {
  if (!(answer.headers.get("Content-Type") ?? "").includes("json")) return null;
  return (await answer.json()).detail ?? null;
}
