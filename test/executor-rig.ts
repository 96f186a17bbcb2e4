/** Drives executors on the simulated machine in tests: turns, a clock, and everything they said. */

import { decodeBatch } from "../src/vm-runner/logging-channel/codec.ts";
import type { ConsoleOutput } from "../src/vm-runner/machine/machine.ts";
import { Executor } from "../src/vm-runner/replay/executor.ts";
import type {
  Batch,
  ExecutorCommand,
  ExecutorEvent,
} from "../src/vm-runner/replay/executor-protocol.ts";
import type { IngressInput, LogInput } from "../src/vm-runner/replay/log-entry.ts";
import { type Echo, parseConsole } from "./simulation/machine/echoes.ts";
import { decodeFrame, encodeFrame, type SimulatedFrame } from "./simulation/machine/frames.ts";
import { SimulatedMachine } from "./simulation/machine/machine.ts";
import { newSha256 } from "./simulation/machine/sha256.ts";
import { newTarget } from "./simulation/machine/snapshot-target.ts";

export const start: LogInput = {
  kind: "start",
  seed: new Uint8Array(32).fill(7),
  mac: new Uint8Array(6),
  wallClockMs: 1_700_000_000_000,
};
let typed = 0;

/** An executor with its machine, a clock, and everything it said. */
export class Rig {
  nowUs = 1_000_000;
  readonly events: ExecutorEvent[] = [];
  readonly executor: Executor;

  readonly machine: SimulatedMachine | null;

  constructor(machine: SimulatedMachine | null = new SimulatedMachine()) {
    this.machine = machine;
    const parts = { machine, startUs: 0, newTarget: newTarget(), newHash: newSha256 };
    this.executor = new Executor(parts);
  }

  command(...commands: ExecutorCommand[]): this {
    for (const command of commands) this.executor.command(command);
    return this;
  }

  /** One turn and what it asks for; real time goes on by what a step takes, or by the sleep. */
  async turn(): Promise<void> {
    const { events, next } = this.executor.turn(this.nowUs);
    this.events.push(...events);
    this.nowUs += 200;
    if (next.kind === "await") await next.promise;
    if (next.kind === "yield") await new Promise((resolve) => setImmediate(resolve));
    if (next.kind === "sleep") this.nowUs += Math.ceil(next.us);
  }

  async turns(count: number): Promise<this> {
    for (let i = 0; i < count; i++) await this.turn();
    return this;
  }

  async until<K extends ExecutorEvent["kind"]>(kind: K): Promise<ExecutorEvent & { kind: K }> {
    const from = this.events.length;
    for (let i = 0; i < 20_000; i++) {
      const found = this.events.slice(from).find((event) => event.kind === kind);
      // SAFETY: the kind was compared just now.
      if (found !== undefined) return found as ExecutorEvent & { kind: K };
      await this.turn();
    }
    throw new Error(`no ${kind} in ${JSON.stringify(this.events.slice(-5))}`);
  }

  of<K extends ExecutorEvent["kind"]>(kind: K): (ExecutorEvent & { kind: K })[] {
    // SAFETY: the kind is compared.
    return this.events.filter((event) => event.kind === kind) as (ExecutorEvent & { kind: K })[];
  }

  get batches(): Batch[] {
    return this.of("recorded").map(({ batch }) => batch);
  }

  /** What the guest printed, piece by piece. */
  get printed(): ConsoleOutput[] {
    return this.of("output").flatMap(({ output }) => (output.kind === "console" ? [output] : []));
  }

  get text(): string {
    return String.fromCharCode(...this.printed.flatMap(({ bytes }) => [...bytes]));
  }

  /** What the guest sent to the network, frame by frame. */
  get sent(): SimulatedFrame[] {
    return this.of("output").flatMap(({ output }) =>
      output.kind === "egress" ? output.frames.map(decodeFrame) : [],
    );
  }

  /** Up to which number the gateway was told, each time, and with which step. */
  get accepted(): { index: number; gateway: number; next: number }[] {
    return this.of("output").flatMap(({ index, output }) => {
      if (output.kind !== "ingressAccepted") return [];
      return [{ index, gateway: output.gateway, next: output.next }];
    });
  }

  /** Entries recorded that brought frames. */
  get ingress(): { index: number; input: IngressInput }[] {
    return this.batches.flatMap(({ bytes }) =>
      decodeBatch(bytes).entries.flatMap(({ entry: { index, inputs } }) =>
        inputs.flatMap((input) => (input.kind === "ingress" ? [{ index, input }] : [])),
      ),
    );
  }

  /** What the guest read of what was typed. */
  get echoes(): Echo[] {
    return parseConsole(this.text);
  }
}

export function recorder(machine = new SimulatedMachine()): Rig {
  typed = 0;
  return new Rig(machine).command({ kind: "record", inputs: [start] });
}

export function type(text: string): ExecutorCommand {
  const bytes = new TextEncoder().encode(text);
  const position = typed;
  typed += bytes.length;
  return { kind: "input", input: { kind: "console", writer: 1, position, bytes } };
}

/** Frames for the guest, which answers each; `first`: number of the first at gateway `gateway`. */
export function send(first: number, count: number, gateway = 7): ExecutorCommand {
  const frames = Array.from({ length: count }, (_, i) => requestFrame(first + i));
  return { kind: "input", input: { kind: "ingress", gateway, first, frames } };
}

function requestFrame(serial: number): Uint8Array {
  return encodeFrame({ kind: "request", serial, request: `q${serial}` });
}

export function replay(batches: readonly Batch[]): ExecutorCommand[] {
  return batches.map((batch) => ({ kind: "replay", batch }));
}

/** A second executor that has executed everything `from` recorded. */
export async function replayed(batches: readonly Batch[], rig = new Rig()): Promise<Rig> {
  rig.command(...replay(batches));
  const entries = batches.reduce((sum, { count }) => sum + count, 0);
  await rig.turns(entries + batches.length + 50);
  return rig;
}

/** Records until entry boundary, so that everything recorded was executed. */
export async function pause(rig: Rig): Promise<void> {
  rig.command({ kind: "pause" });
  await rig.until("paused");
}
