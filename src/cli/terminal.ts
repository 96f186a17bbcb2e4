/**
 * This process's terminal on the guest's console. Attached, every key goes to the guest but one;
 * detached, a line shows how the pair is, and a few keys act.
 */
import type { ReadStream, WriteStream } from "node:tty";
import { ConsoleClient, type ConsoleOptions } from "./console-client.ts";
import type { DetachKey } from "./detach-key.ts";
import { GuestScreen } from "./guest-screen.ts";

export interface TerminalOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly console: Pick<ConsoleOptions, "vm" | "key" | "endpoints">;
  readonly detachKey: DetachKey;
  /** One line about the pair, for the window's title and the line shown while detached. */
  readonly describe: () => string;
  /** The user wants to end; while detached only. */
  readonly onQuit: () => void;
  /** Detaching ends the command; else keys are offered. */
  readonly detachQuits: boolean;
}

const refreshMs = 500;
const ctrlC = 0x03;

export class Terminal {
  readonly #options: TerminalOptions;
  readonly #screen: GuestScreen;
  #client: ConsoleClient | null = null;
  #position: number | null = null;
  #timer: NodeJS.Timeout;
  #closed = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#screen = new GuestScreen(options.output);
    options.input.setRawMode(true);
    options.input.on("data", this.#onKeys);
    this.#timer = setInterval(() => this.#refresh(), refreshMs);
    this.#attach();
  }

  /** Says something that happened, whatever is shown now. */
  notice(text: string): void {
    if (this.#client !== null) this.#screen.notice(text);
    else {
      this.#options.output.write(`\r\x1b[K[lockstep] ${text}\r\n`);
      this.#refresh();
    }
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#client?.close();
    const { input, output } = this.#options;
    input.off("data", this.#onKeys);
    input.setRawMode(false);
    input.pause();
    output.write("\x1b]2;\x07\r\x1b[K");
  }

  #attach(): void {
    const { console, detachKey, detachQuits } = this.#options;
    const leave = detachQuits ? "leaves" : "detaches";
    this.#screen.notice(
      `the guest's console: ${detachKey.label} ${leave}, all other keys go to the guest`,
    );
    this.#client = new ConsoleClient({
      ...console,
      position: this.#position,
      onOutput: (bytes) => this.#screen.show(bytes),
      onMissed: (bytes) => this.#screen.notice(`${bytes} bytes of output are no longer kept`),
      onRoom: () => this.#options.input.resume(),
      onRefused: (message) => this.#screen.notice(message),
    });
  }

  #detach(): void {
    this.#position = this.#client?.position ?? this.#position;
    this.#client?.close();
    this.#client = null;
    if (this.#options.detachQuits) {
      this.#options.onQuit();
      return;
    }
    this.#options.output.write(
      "\r\n[lockstep] detached: Enter goes back to the guest, q switches the VM off\r\n",
    );
    this.#refresh();
  }

  readonly #onKeys = (keys: Buffer): void => {
    if (this.#client === null) {
      this.#onCommand(keys);
      return;
    }
    const at = keys.indexOf(this.#options.detachKey.byte);
    const typed = at < 0 ? keys : keys.subarray(0, at);
    if (typed.length > 0 && !this.#client.write(typed)) this.#options.input.pause();
    if (at < 0) return;
    this.#detach();
    // Keys typed quickly come in one piece.
    if (at + 1 < keys.length) this.#onKeys(keys.subarray(at + 1));
  };

  #onCommand(keys: Buffer): void {
    const key = String.fromCharCode(keys[0] ?? 0);
    if (key === "q" || keys[0] === ctrlC) this.#options.onQuit();
    else if (key === "\r" || key === "\n" || key === "a") {
      this.#options.output.write("\r\x1b[K");
      this.#attach();
    }
  }

  #refresh(): void {
    const { describe, output } = this.#options;
    if (this.#client !== null) {
      this.#screen.title(`lockstep ${describe()}`);
      return;
    }
    // Cut to one row, so that the next one overwrites it; some terminals say that they have none.
    const columns = output.columns > 0 ? output.columns : 80;
    output.write(`\r\x1b[K${describe().slice(0, columns - 1)}`);
  }
}
