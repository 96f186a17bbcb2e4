/**
 * gvproxy, kept running: when it ends it is started again and the ports are published again.
 * Meanwhile the guest has a network card whose cable is pulled, and goes on.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import type { Logger } from "../../platform/logging.ts";
import type { NetworkPort } from "../gateway.ts";
import { GatewayError } from "../gateway-error.ts";
import type { PublishedPort } from "../published-port.ts";
import { publish } from "./gvproxy-api.ts";
import { GvproxyProcess } from "./gvproxy-process.ts";

const firstDelayMs = 100;
const delayMsMax = 5_000;
/** Whoever ran so long is started again at once. */
const soundRunMs = 10_000;
/** A socket's path has 107 bytes. */
const directoryBytesMax = 80;

export interface GvproxyOptions {
  readonly program: string;
  readonly ports: readonly PublishedPort[];
  readonly logger: Logger;
  /** Those that came together. */
  readonly onFrames: (frames: readonly Uint8Array[]) => void;
  /** It carries frames; null: not any more. */
  readonly onNetwork: (network: NetworkPort | null) => void;
}

export class Gvproxy {
  readonly #options: GvproxyOptions;
  readonly #directory = privateDirectory();
  readonly #removeDirectory = () => rmSync(this.#directory, { recursive: true, force: true });
  #running: GvproxyProcess | null = null;
  #lives = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(options: GvproxyOptions) {
    this.#options = options;
    process.once("exit", this.#removeDirectory);
  }

  /** Null while it is not running. */
  get pid(): number | null {
    return this.#running?.pid ?? null;
  }

  get restarts(): number {
    return Math.max(0, this.#lives - 1);
  }

  /** Frames that wait for it to read. */
  get queuedBytes(): number {
    return this.#running?.queuedBytes ?? 0;
  }

  /** Where it is asked for things; null while it is not running. */
  get socketPath(): string | null {
    return this.#running?.socketPath ?? null;
  }

  /** The first start: it carries frames and every port is published. @throws GatewayError */
  async start(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running?.stop();
    this.#removeDirectory();
    process.off("exit", this.#removeDirectory);
  }

  async #begin(): Promise<void> {
    const { program, ports, logger, onFrames, onNetwork } = this.#options;
    const life = this.#lives++;
    const given = { program, directory: this.#directory, life, logger };
    const gvproxy = new GvproxyProcess({ ...given, onFrames });
    this.#running = gvproxy;
    const beganMs = performance.now();
    let serves = false;
    const ended = gvproxy.ended.then((how) => {
      this.#running = null;
      onNetwork(null);
      if (performance.now() - beganMs >= soundRunMs) this.#failures = 0;
      if (serves) this.#startAgain(`gvproxy ${how}`);
    });
    try {
      await gvproxy.serving();
      for (const port of ports) await publish(gvproxy.socketPath, port);
    } catch (error) {
      await gvproxy.stop();
      await ended;
      throw error;
    }
    // What it says of its end, should that have come meanwhile, is not lost.
    if (this.#running !== gvproxy) throw new GatewayError("no gvproxy", await gvproxy.ended);
    serves = true;
    onNetwork(gvproxy);
    logger.info({ gvproxy: gvproxy.pid, ports: ports.length }, "gvproxy serves");
  }

  #startAgain(why: string): void {
    if (this.#stopping) return;
    const delayMs =
      this.#failures === 0 ? 0 : Math.min(delayMsMax, firstDelayMs * 2 ** (this.#failures - 1));
    this.#failures++;
    this.#options.logger.warn({ why, delayMs }, "gvproxy is started again");
    this.#timer = setTimeout(() => {
      this.#begin().catch((error: Error) => this.#startAgain(error.message));
    }, delayMs);
  }
}

function privateDirectory(): string {
  const place = os.tmpdir();
  const short = Buffer.byteLength(place) <= directoryBytesMax ? place : "/tmp";
  return mkdtempSync(path.join(short, "lockstep-gw-"));
}
