/** The guest counts on its console, which a reader follows over failovers. */
import { ConsoleClient } from "../console-client.ts";
import type { Pair } from "../pair/pair.ts";
import type { CountedOutput } from "./counted-output.ts";
import { CounterCheck } from "./counter-check.ts";

/** The shell's line editor asks the terminal for the cursor's position right after it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: SAFETY: the terminal's escape is meant.
const prompt = /# (?:\x1b\[6n)?$/;
const tailCharactersMax = 256;

export class ConsoleCounter implements CountedOutput {
  readonly transport = "console";
  readonly resets = 0;
  readonly counter: CounterCheck;
  readonly #client: ConsoleClient;
  readonly #isTiny: boolean;
  readonly #decoder = new TextDecoder();
  #tail = "";
  #connects = 0;
  #problem: string | null = null;

  constructor(pair: Pair, guest: string) {
    this.#isTiny = guest === "tiny";
    this.counter = new CounterCheck({
      word: this.#isTiny ? "tick" : "counter",
      numbersOnly: false,
    });
    this.#client = new ConsoleClient({
      ...{ vm: pair.vm, key: pair.key, endpoints: pair.consoles, position: null },
      onOutput: (bytes) => this.#onOutput(bytes),
      onConnected: () => {
        this.#connects++;
      },
      onMissed: (bytes) => {
        this.#problem = `${bytes} bytes of the console were missed`;
      },
    });
  }

  get description(): string {
    const what = this.#isTiny
      ? "the tiny guest prints its ticks"
      : "counter runs in the guest's shell";
    return `${what}: one number after the other`;
  }

  get source(): string {
    return `connection ${this.#connects}`;
  }

  get problem(): string | null {
    return this.#problem;
  }

  get ready(): boolean {
    return this.#isTiny || prompt.test(this.#tail);
  }

  get evidence(): string {
    return `the console says ${JSON.stringify(this.#tail)}`;
  }

  start(): void {
    if (!this.#isTiny) this.#client.write(new TextEncoder().encode("counter\n"));
  }

  onView(): void {}

  close(): void {
    this.#client.close();
  }

  #onOutput(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#tail = (this.#tail + text).slice(-tailCharactersMax);
    this.counter.push(text, performance.now());
  }
}
