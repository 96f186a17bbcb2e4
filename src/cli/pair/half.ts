/** One half of the pair: the runner process that fills it now, and when the next one starts. */
import { exitCodes } from "../../shared/exit-codes.ts";
import { type Child, type ChildExit, startChild } from "./child.ts";
import type { HalfId, PairEvent } from "./events.ts";
import { emptyHistory, type HalfHistory, planRestart } from "./restart-policy.ts";
import { type Address, addressText, logFile, type StateFiles } from "./state-directory.ts";

/** Compiling v86 and restoring the boot snapshot, on a busy computer. */
const readyTimeoutMs = 90_000;

export interface HalfOptions {
  readonly id: HalfId;
  readonly channel: Address;
  readonly http: Address;
  readonly files: StateFiles;
  /** Of `lockstep runner`, without what is said above. */
  readonly args: readonly string[];
  readonly onEvent: (event: PairEvent) => void;
  /** A process started or ended. */
  readonly onChange: () => void;
  readonly onEnded: (exit: ChildExit) => void;
}

export class Half {
  readonly #options: HalfOptions;
  #child: Child | null = null;
  #nonce: string | null = null;
  #history: HalfHistory = emptyHistory;
  #timer: NodeJS.Timeout | null = null;
  #lastExit: ChildExit | null = null;
  #retired = false;

  constructor(options: HalfOptions) {
    this.#options = options;
  }

  get id(): HalfId {
    return this.#options.id;
  }

  get channel(): Address {
    return this.#options.channel;
  }

  get http(): Address {
    return this.#options.http;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Null until the runner serves. */
  get nonce(): string | null {
    return this.#nonce;
  }

  get lastExit(): ChildExit | null {
    return this.#lastExit;
  }

  /** Resolves true when the runner serves, false when it ended before. */
  async start(): Promise<boolean> {
    const { id, args, channel, http, files, onEvent, onChange } = this.#options;
    const own = ["--listen", addressText(channel), "--http", addressText(http)];
    const child = startChild(["runner", ...args, ...own], logFile(files, id), readyTimeoutMs);
    this.#child = child;
    onEvent({ kind: "started", half: id, pid: child.pid });
    onChange();
    void child.exited.then((exit) => this.#onExit(child, exit));
    const nonce = nonceOf(await child.ready);
    if (nonce === null) {
      child.kill("SIGKILL");
      return false;
    }
    if (this.#child !== child) return false;
    this.#nonce = nonce;
    onChange();
    return true;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** No process is started here any more. */
  retire(): void {
    this.#retired = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Resolves when the process that runs now has ended. */
  async ended(): Promise<void> {
    await this.#child?.exited;
  }

  /** Plans the next process, after the last one ended. */
  restart(): void {
    const exit = this.#lastExit;
    if (this.#retired || this.#child !== null || exit === null) return;
    const { id, onEvent } = this.#options;
    const diverged = exit.code === exitCodes.divergence;
    const planned = planRestart(this.#history, { atMs: performance.now(), diverged });
    this.#history = planned.history;
    const { decision } = planned;
    if (decision.kind === "restart") {
      this.#timer = setTimeout(() => void this.start(), decision.delayMs);
      return;
    }
    this.#retired = true;
    const reason =
      decision.kind === "diverged"
        ? `Diverged: its state differed from the primary's ${decision.count} times in 10 minutes`
        : `it ended ${decision.count} times in a minute; last: ${describeExit(exit)}`;
    onEvent({ kind: "not restarted", half: id, reason });
  }

  #onExit(child: Child, exit: ChildExit): void {
    if (this.#child !== child) return;
    const { id, onEvent, onChange, onEnded } = this.#options;
    this.#child = null;
    this.#nonce = null;
    this.#lastExit = exit;
    onEvent({ kind: "ended", half: id, pid: child.pid, how: describeExit(exit) });
    onChange();
    onEnded(exit);
  }
}

export function describeExit({ code, signal, lastWords }: ChildExit): string {
  const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
  return lastWords === null || signal !== null ? how : `${how}: ${lastWords}`;
}

/** What is printed when a runner serves. */
function nonceOf(ready: unknown): string | null {
  if (typeof ready !== "object" || ready === null || !("nonce" in ready)) return null;
  return typeof ready.nonce === "string" ? ready.nonce : null;
}
