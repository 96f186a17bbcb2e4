/**
 * The guest's shell, typed at and timed from outside: what counts is when its markers arrive, on
 * both sides alike.
 */
const markerTimeoutMs = 120_000;
const textMax = 64 * 1024;

export class GuestShell {
  readonly #type: (text: string) => void;
  #text = "";
  #commands = 0;
  #wanted: { readonly marker: string; readonly found: () => void } | null = null;

  constructor(type: (text: string) => void) {
    this.#type = type;
  }

  /** Bytes that the guest's console printed, as they arrive. */
  feed(bytes: Uint8Array): void {
    this.#text = (this.#text + Buffer.from(bytes).toString("latin1")).slice(-textMax);
    const wanted = this.#wanted;
    if (wanted === null || !this.#text.includes(wanted.marker)) return;
    this.#text = this.#text.slice(this.#text.indexOf(wanted.marker) + wanted.marker.length);
    this.#wanted = null;
    wanted.found();
  }

  /** Resolves when the shell has started. */
  async ready(): Promise<void> {
    // One that had started before says nothing any more, so it is made to.
    const timer = setInterval(() => this.#type("echo SHELL''-IS-UP\n"), 1_000);
    try {
      await this.#printed("SHELL-IS-UP");
    } finally {
      clearInterval(timer);
    }
    await this.run(":");
  }

  /** Milliseconds from the command's start to its end, as seen from outside. */
  async run(command: string): Promise<number> {
    const id = ++this.#commands;
    // The console shows what is typed; quotes keep the markers apart from that.
    const began = this.#printed(`BEGIN-${id}.`);
    this.#type(`echo BEGIN''-${id}.; ${command}; echo END''-${id}.\n`);
    await began;
    const beganMs = performance.now();
    await this.#printed(`END-${id}.`);
    return performance.now() - beganMs;
  }

  #printed(marker: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = JSON.stringify(this.#text.slice(-200));
        reject(new Error(`the guest did not print ${marker}; it printed last: ${text}`));
      }, markerTimeoutMs);
      const found = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#wanted = { marker, found };
      this.feed(new Uint8Array());
    });
  }
}
