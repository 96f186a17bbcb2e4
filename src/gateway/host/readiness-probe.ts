/**
 * Does a program of the guest accept connections on a TCP port? gvproxy is asked to connect, and
 * the guest's frames are watched for the answer, since gvproxy itself does not tell.
 */
import type { Socket } from "node:net";
import { answerOfPort } from "../guest-frames.ts";
import { openTunnel } from "./gvproxy-api.ts";

/** Time for a repeated SYN too: gvproxy repeats after one second. */
const answerTimeoutMs = 2_500;
const waitingIntervalMs = 500;
const readyIntervalMs = 5_000;
/** A failover may swallow one. */
const failuresUntilNotReady = 2;

export interface ReadinessProbeOptions {
  /** A port of the guest. */
  readonly port: number;
  /** Where gvproxy is asked; null: it, or the guest, cannot be reached now. */
  readonly socketPath: () => string | null;
  readonly onChange: (ready: boolean) => void;
}

export class ReadinessProbe {
  readonly #options: ReadinessProbeOptions;
  #timer: NodeJS.Timeout;
  #tunnel: Socket | null = null;
  #failures = 0;
  #ready = false;
  #stopped = false;

  constructor(options: ReadinessProbeOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.#ask(), 0);
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** A frame that left the guest. */
  observe(frame: Uint8Array): void {
    if (this.#tunnel === null) return;
    const answer = answerOfPort(frame, this.#options.port);
    if (answer !== null) this.#settle(answer === "accepts");
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#tunnel?.destroy();
  }

  #ask(): void {
    const socketPath = this.#options.socketPath();
    if (socketPath === null) {
      this.#settle(false);
      return;
    }
    const tunnel = openTunnel(socketPath, this.#options.port, () => {
      if (this.#tunnel === tunnel) this.#settle(false);
    });
    this.#tunnel = tunnel;
    this.#timer = setTimeout(() => this.#settle(false), answerTimeoutMs);
  }

  #settle(accepted: boolean): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const tunnel = this.#tunnel;
    this.#tunnel = null;
    tunnel?.destroy();
    this.#failures = accepted ? 0 : this.#failures + 1;
    const ready = accepted || (this.#ready && this.#failures < failuresUntilNotReady);
    const changed = ready !== this.#ready;
    this.#ready = ready;
    if (changed) this.#options.onChange(ready);
    const rest = ready && accepted ? readyIntervalMs : waitingIntervalMs;
    this.#timer = setTimeout(() => this.#ask(), rest);
  }
}
