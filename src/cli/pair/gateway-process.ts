/**
 * The gateway as a child process, started again on the same ports when it ends. Connections of the
 * guest break with it, as with a switch that is replaced; the VM is unharmed.
 */
import { z } from "zod";
import { describePort, type PublishedPort } from "../../gateway/published-port.ts";
import { exitCodes } from "../../shared/exit-codes.ts";
import { CommandError } from "../command-error.ts";
import { type Child, type ChildExit, startChild } from "./child.ts";
import type { PairEvent } from "./events.ts";
import { describeExit } from "./half.ts";
import { type Address, addressText, logFile, type StateFiles } from "./state-directory.ts";

export interface GatewayProcessOptions {
  readonly files: StateFiles;
  readonly vm: string;
  readonly arbiter: Address;
  readonly publish: readonly PublishedPort[];
  /** The guest's TCP port at which the gateway looks whether the guest is ready; null: it does not. */
  readonly readyPort: number | null;
  readonly onEvent: (event: PairEvent) => void;
}

const readyTimeoutMs = 30_000;
/** It ends what it started, then itself. */
const stopGraceMs = 3_000;
const restartDelayMsMin = 200;
const restartDelayMsMax = 5_000;
/** Whoever served so long is started again with the shortest delay. */
const soundRunMs = 10_000;

const readySchema = z.object({ ready: z.literal(true), port: z.int(), http: z.int() });

export class GatewayProcess {
  readonly #options: GatewayProcessOptions;
  #child: Child | null = null;
  /** Any free ports at first, the same ones from then on. */
  #address: Address = { host: "127.0.0.1", port: 0 };
  #http: Address = { host: "127.0.0.1", port: 0 };
  #restartDelayMs = restartDelayMsMin;
  #servesSinceMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(options: GatewayProcessOptions) {
    this.#options = options;
  }

  /** Where runners attach. */
  get address(): Address {
    return this.#address;
  }

  get http(): Address {
    return this.#http;
  }

  /** Null while it is not running. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get ports(): readonly PublishedPort[] {
    return this.#options.publish;
  }

  /** @throws CommandError when it does not serve. */
  async start(): Promise<void> {
    const exit = await this.#startChild();
    if (exit === null) return;
    const why = exit.lastWords?.replace(/^lockstep gateway: /, "") ?? `it ${describeExit(exit)}`;
    throw new CommandError(
      exit.code ?? exitCodes.failure,
      `the gateway to the guest's network did not start: ${why}`,
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), stopGraceMs);
    await this.#child?.exited;
    clearTimeout(timer);
  }

  /** Null: it serves. */
  async #startChild(): Promise<ChildExit | null> {
    const log = logFile(this.#options.files, "gateway");
    const child = startChild(this.#arguments(), log, readyTimeoutMs);
    this.#child = child;
    const ready = readySchema.safeParse(await child.ready).data;
    if (ready === undefined) {
      child.kill("SIGKILL");
      const exit = await child.exited;
      this.#child = null;
      return exit;
    }
    this.#address = { ...this.#address, port: ready.port };
    this.#http = { ...this.#http, port: ready.http };
    this.#servesSinceMs = performance.now();
    void child.exited.then((exit) => this.#onEnded(child.pid, exit));
    return null;
  }

  #arguments(): string[] {
    const { files, vm, arbiter, publish, readyPort } = this.#options;
    const where = ["--listen", addressText(this.#address), "--http", addressText(this.#http)];
    const args = ["gateway", "--vm", vm, "--key", files.key, "--arbiter", addressText(arbiter)];
    args.push(...where, "--exit-with-parent");
    for (const port of publish) args.push("--publish", describePort(port));
    if (readyPort !== null) args.push("--ready-port", String(readyPort));
    return args;
  }

  #onEnded(pid: number, exit: ChildExit): void {
    this.#child = null;
    if (this.#stopping) return;
    if (performance.now() - this.#servesSinceMs >= soundRunMs) {
      this.#restartDelayMs = restartDelayMsMin;
    }
    this.#options.onEvent({ kind: "gateway ended", pid, how: describeExit(exit) });
    this.#startAgain();
  }

  #startAgain(): void {
    const delayMs = this.#restartDelayMs;
    this.#restartDelayMs = Math.min(restartDelayMsMax, 2 * delayMs);
    this.#timer = setTimeout(() => void this.#tryAgain(), delayMs);
  }

  /** A port may not be free at once, when what served it before is still ending. */
  async #tryAgain(): Promise<void> {
    const { onEvent } = this.#options;
    const how = await this.#startChild().then(
      (exit) => (exit === null ? null : describeExit(exit)),
      (error: Error) => `cannot be started: ${error.message}`,
    );
    if (this.#stopping) return;
    if (how === null) {
      // It may have ended again already, which is an event of its own.
      if (this.pid !== null) onEvent({ kind: "gateway serves", pid: this.pid });
      return;
    }
    onEvent({ kind: "gateway waits", how });
    this.#startAgain();
  }
}
