/** One life of gvproxy: a child process that takes and gives frames on its standard streams. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../platform/logging.ts";
import { networkMtu } from "../../shared/limits.ts";
import type { NetworkPort } from "../gateway.ts";
import { GatewayError } from "../gateway-error.ts";
import { SwitchFrameReader, switchFrame } from "../switch-frames.ts";
import { isServing } from "./gvproxy-api.ts";
import { GvproxyLog } from "./gvproxy-log.ts";

const startTimeoutMs = 20_000;
const lookIntervalMs = 20;
const stopGraceMs = 1_000;

export interface GvproxyProcessOptions {
  readonly program: string;
  /** Private; its path is short enough for a socket's. */
  readonly directory: string;
  /** Which life of gvproxy this is, for its files' names. */
  readonly life: number;
  readonly logger: Logger;
  /** Those that came together. */
  readonly onFrames: (frames: readonly Uint8Array[]) => void;
}

export class GvproxyProcess implements NetworkPort {
  readonly socketPath: string;
  readonly ended: Promise<string>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #killWithUs: () => void;
  #corked = false;
  #hasEnded = false;

  constructor({ program, directory, life, logger, onFrames }: GvproxyProcessOptions) {
    this.socketPath = path.join(directory, `api-${life}.sock`);
    const stdio: ["pipe", "pipe", "pipe"] = ["pipe", "pipe", "pipe"];
    this.#child = spawn(program, argumentsOf(this.socketPath), { stdio });
    this.#killWithUs = () => this.#child.kill("SIGKILL");
    process.once("exit", this.#killWithUs);
    const log = new GvproxyLog(logger);
    const reader = new SwitchFrameReader();
    this.#child.stdout.on("data", (piece: Uint8Array) => onFrames(reader.push(piece)));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => log.push(text));
    // Writes to the pipe of an ended child are nobody's loss.
    this.#child.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
      this.#child.once("close", (code, signal) => {
        resolve(`ended with ${signal ?? `code ${code}`}${log.lastWords}`);
      });
    });
    void this.ended.then(() => {
      this.#hasEnded = true;
      process.off("exit", this.#killWithUs);
    });
  }

  /** Null: it could not be started. */
  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  get queuedBytes(): number {
    return this.#child.stdin.writableLength;
  }

  /** Frames of one turn of the event loop go out together. */
  send(frame: Uint8Array): void {
    const { stdin } = this.#child;
    if (this.#hasEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      stdin.cork();
      process.nextTick(() => {
        this.#corked = false;
        stdin.uncork();
      });
    }
    stdin.write(switchFrame(frame));
  }

  /** Resolves when it can be asked to publish ports. @throws GatewayError */
  async serving(): Promise<void> {
    const deadline = AbortSignal.timeout(startTimeoutMs);
    while (!(await isServing(this.socketPath))) {
      const problem = this.#hasEnded ? await this.ended : null;
      if (problem !== null) throw new GatewayError("no gvproxy", `gvproxy ${problem}`);
      if (deadline.aborted) {
        throw new GatewayError("no gvproxy", `gvproxy did not serve within ${startTimeoutMs} ms`);
      }
      await delay(lookIntervalMs);
    }
  }

  /** It ends by itself when its standard input does; whatever holds it up is not waited for. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMs);
    await this.ended;
    clearTimeout(timer);
  }
}

/** Every version from 0.8.0 on knows these; -1: no port for ssh that nobody asked for. */
function argumentsOf(socketPath: string): string[] {
  const api = ["-listen", `unix://${socketPath}`];
  return [...api, "-listen-stdio", "accept", "-ssh-port", "-1", "-mtu", String(networkMtu)];
}
