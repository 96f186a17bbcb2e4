/** The arbiter as a child process, started again on the same port when it ends. */
import { exitCodes } from "../../shared/exit-codes.ts";
import { CommandError } from "../command-error.ts";
import { type Child, startChild } from "./child.ts";
import type { PairEvent } from "./events.ts";
import { describeExit } from "./half.ts";
import { type Address, logFile, type StateFiles } from "./state-directory.ts";

const readyTimeoutMs = 30_000;
const restartDelayMs = 200;

export class ArbiterProcess {
  readonly #files: StateFiles;
  readonly #vm: string;
  readonly #onEvent: (event: PairEvent) => void;
  #child: Child | null = null;
  #address: Address = { host: "127.0.0.1", port: 0 };
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(files: StateFiles, vm: string, onEvent: (event: PairEvent) => void) {
    this.#files = files;
    this.#vm = vm;
    this.#onEvent = onEvent;
  }

  get address(): Address {
    return this.#address;
  }

  /** @throws CommandError when it does not serve. */
  async start(): Promise<void> {
    const { host, port } = this.#address;
    const { records, key } = this.#files;
    const where = ["--listen", `${host}:${port}`, "--data", records, "--key", key];
    const args = ["arbiter", ...where, "--vm", this.#vm, "--exit-with-parent"];
    const child = startChild(args, logFile(this.#files, "arbiter"), readyTimeoutMs);
    this.#child = child;
    const served = portOf(await child.ready);
    if (served === null) {
      child.kill("SIGKILL");
      const exit = await child.exited;
      throw new CommandError(
        exitCodes.failure,
        `the arbiter did not start: it ${describeExit(exit)}`,
      );
    }
    this.#address = { host, port: served };
    void child.exited.then((exit) => {
      if (this.#stopping) return;
      this.#onEvent({ kind: "arbiter ended", how: describeExit(exit) });
      this.#startAgain();
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Records are on disk, so nothing is lost meanwhile; a pair that needs the record waits. */
  #startAgain(): void {
    this.#timer = setTimeout(() => {
      this.start().catch(() => {
        if (!this.#stopping) this.#startAgain();
      });
    }, restartDelayMs);
  }
}

function portOf(ready: unknown): number | null {
  if (typeof ready !== "object" || ready === null || !("port" in ready)) return null;
  return typeof ready.port === "number" ? ready.port : null;
}
