/**
 * A gateway process of the simulated world: the real core, with what `src/gateway/host` does with
 * sockets done with simulated streams. It can be killed, and held for any time and go on with its
 * old state. It tells which runner it accepts, and what it takes from and gives to the network
 * behind it.
 */

import { Gateway, type NetworkPort, RunnerProtocolError } from "../../../src/gateway/gateway.ts";
import { BytesError } from "../../../src/shared/bytes.ts";
import { FrameReader, FramingError, frame } from "../../../src/shared/framing.ts";
import {
  gatewayMessageBytesMax,
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
} from "../../../src/shared/limits.ts";
import { decodeGatewayMessage } from "../../../src/shared/protocol/gateway.ts";
import type { Epoch, Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { Happening, Node } from "../events.ts";
import type { Agenda } from "./clock.ts";
import { Mailbox } from "./mailbox.ts";
import type { Random } from "./random.ts";
import type { StreamEnd } from "./stream.ts";

/** The computer that a gateway runs on; its address, whichever process is there. */
export const gatewayNode: Node = "gateway";
const tickMs = 50;

export interface GatewayParts {
  readonly vm: string;
  readonly agenda: Agenda;
  readonly random: Random;
  readonly emit: (happening: Happening) => void;
  /** Told once, in the process; undefined: it cannot be read. */
  readonly readRecord: (process: string, answer: (r: VmRecord | null | undefined) => void) => void;
}

/** Who a connection says it is. */
interface Claim {
  nonce: Nonce | null;
  epoch: Epoch;
}

const nobody: Claim = { nonce: null, epoch: -1 };

export class SimulatedGateway {
  /** Of the process. */
  readonly name: string;
  alive = true;
  readonly #parts: GatewayParts;
  readonly #core: Gateway;
  readonly #mailbox = new Mailbox<() => void>();
  readonly #ends = new Set<StreamEnd>();
  #connections = 0;
  #held = 0;
  /** Whose message the core is taking in. */
  #speaker: Claim = nobody;
  #missing = { ingress: 0, egress: 0 };
  #fullest = 0;

  /** `number`: how the log knows it. */
  constructor(parts: GatewayParts, name: string, number: number) {
    this.#parts = parts;
    this.name = name;
    parts.emit({ kind: "gatewayStarted", process: name, gateway: number });
    this.#core = new Gateway({
      vm: parts.vm,
      gateway: number,
      readRecord: () => this.#readRecord(),
      onReport: () => {},
    });
    this.#tickLater();
  }

  get standsStill(): boolean {
    return this.#held > 0;
  }

  /** The runner whose frames count. */
  get attached(): Nonce | null {
    return this.#core.attached?.nonce ?? null;
  }

  /** The network behind is there; null: it is gone. */
  setNetwork(port: NetworkPort | null): void {
    const told = port === null ? null : this.#watched(port);
    this.inProcess("network", () => this.#core.setNetwork(told));
  }

  /** A frame from the network. */
  onFrame(bytes: Uint8Array): void {
    this.inProcess("network", () => {
      const before = this.#core.counters.ingressDropped;
      const { nowMs } = this.#parts.agenda;
      this.#core.onFrames([bytes], nowMs);
      if (this.#core.counters.ingressDropped > before) return;
      this.#parts.emit({ kind: "entered", process: this.name, frame: bytes });
    });
  }

  /** Runs it in the process: now, or once it no longer stands still; never when it has ended. */
  inProcess(source: string, run: () => void): void {
    if (!this.alive) return;
    if (this.#held > 0) {
      this.#mailbox.put(source, run);
      return;
    }
    run();
    this.#tell();
  }

  /** A runner connects. */
  accept(end: StreamEnd): void {
    this.#ends.add(end);
    const source = `connection ${++this.#connections}`;
    this.inProcess(source, () => this.#accept(end, source));
  }

  /** `silent`: its computer died with it, and nobody is told. */
  crash(silent: boolean): void {
    this.alive = false;
    for (const end of this.#ends) {
      if (silent) end.vanish();
      else end.kill(this.#parts.random() < 0.3);
    }
    this.#parts.emit({ kind: "gatewayEnded", process: this.name });
  }

  freeze(): void {
    this.#held++;
  }

  /** Everything that came meanwhile comes now. */
  thaw(): void {
    this.#held--;
    while (this.alive && this.#held === 0) {
      const run = this.#mailbox.take(this.#parts.random);
      if (run === undefined) return;
      run();
      this.#tell();
    }
  }

  #accept(end: StreamEnd, source: string): void {
    const reader = new FrameReader(gatewayMessageBytesMax);
    const claim: Claim = { ...nobody };
    const link = this.#core.accept({
      get queuedBytes() {
        return end.queuedBytes;
      },
      send: (message) => {
        this.#onSent(claim, message);
        end.send(frame(message));
      },
      end: () => {
        end.end();
        this.#parts.agenda.after(0, () => this.inProcess(source, left));
      },
    });
    const left = () => {
      if (this.#ends.delete(end)) this.#core.leave(link);
    };
    const take = (bytes: Uint8Array) => {
      for (const message of reader.push(bytes)) {
        if (!this.#ends.has(end)) return;
        this.#speaker = claim;
        noteClaim(claim, message);
        this.#core.receive(link, message);
      }
    };
    end.handlers = {
      onData: (bytes) => {
        end.unreadBytes += bytes.length;
        this.inProcess(source, () => {
          end.unreadBytes -= bytes.length;
          this.#understand(end, () => take(bytes), left);
        });
      },
      onClosed: () => this.inProcess(source, left),
    };
    // This end was closed before the process could look at it.
    if (!end.open) left();
  }

  /** A runner that breaks the protocol is hung up on. */
  #understand(end: StreamEnd, take: () => void, left: () => void): void {
    try {
      take();
    } catch (error) {
      if (!isPeersFault(error)) throw error;
      end.end();
      left();
    } finally {
      this.#speaker = nobody;
    }
  }

  #onSent({ nonce, epoch }: Claim, message: Uint8Array): void {
    if (nonce === null || decodeGatewayMessage(message).kind !== "attached") return;
    this.#parts.emit({ kind: "attached", process: this.name, runner: nonce, epoch });
  }

  #watched(port: NetworkPort): NetworkPort {
    return {
      get queuedBytes() {
        return port.queuedBytes;
      },
      send: (bytes) => {
        const { nonce: runner, epoch } = this.#speaker;
        this.#parts.emit({ kind: "left", process: this.name, runner, epoch, frame: bytes });
        port.send(bytes);
      },
    };
  }

  #readRecord(): void {
    this.#parts.readRecord(this.name, (record) => {
      if (record === undefined) this.#core.onRecordUnreadable();
      else this.#core.onRecord(record);
    });
  }

  #tickLater(): void {
    this.#parts.agenda.after(tickMs, () => {
      if (!this.alive) return;
      if (this.#held === 0) this.inProcess("tick", () => this.#core.tick(this.#parts.agenda.nowMs));
      this.#tickLater();
    });
  }

  /** What it says that it has lost, and how much waits in it. */
  #tell(): void {
    const { counters, inFlight } = this.#core;
    const ingress = counters.ingressExpired + counters.ingressDropped;
    const egress = counters.egressDropped;
    if (ingress > this.#missing.ingress || egress > this.#missing.egress) {
      this.#missing = { ingress, egress };
      this.#parts.emit({ kind: "lost", process: this.name, ingress, egress });
    }
    this.#fill("frames for the guest", inFlight.frames, ingressInFlightFramesMax);
    this.#fill("bytes for the guest", inFlight.bytes, ingressInFlightBytesMax);
  }

  #fill(buffer: string, size: number, limit: number): void {
    const share = size / limit;
    if (share <= 1 ? share < this.#fullest + 0.125 : share <= this.#fullest) return;
    this.#fullest = share;
    this.#parts.emit({ kind: "buffer", process: this.name, buffer, size, limit });
  }
}

function noteClaim(claim: Claim, bytes: Uint8Array): void {
  const message = decodeGatewayMessage(bytes);
  if (message.kind === "attach") claim.nonce = message.nonce;
  if (message.kind === "attach" || message.kind === "renew") claim.epoch = message.epoch;
}

function isPeersFault(error: unknown): boolean {
  return (
    error instanceof BytesError ||
    error instanceof FramingError ||
    error instanceof RunnerProtocolError
  );
}
