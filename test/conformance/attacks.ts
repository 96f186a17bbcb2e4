/**
 * Attacks on determinism, each in a process of its own:
 *
 *     attacks.ts NAME TINY-PROGRAM
 *
 * The last line on stdout is the result as JSON.
 */
import {
  compileV86,
  createMachine,
  type FactoryOptions,
  loadGuest,
} from "../../src/vm-runner/host/machine-factory.ts";
import type { InspectableMachine } from "../../src/vm-runner/machine/deterministic-machine.ts";
import {
  insideStep,
  installGlobalOverrides,
} from "../../src/vm-runner/machine/global-overrides.ts";
import { MachineTrap } from "../../src/vm-runner/machine/machine.ts";
import { hostileProgram } from "./hostile-driver.ts";
import { framesOf, stateHash } from "./scenario.ts";

const [name = "", program = ""] = process.argv.slice(2);
const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
  globals,
  nan,
  trap,
  idle,
  random,
  afterMove,
  hostileDriver,
};
const result = await attacks[name]?.();
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function tiny(options: FactoryOptions = {}): Promise<InspectableMachine> {
  const images = await loadGuest({ memoryMiB: 16, boot: { kind: "multiboot", program } });
  return createMachine(images, await compileV86(), options);
}

/** What code inside a step sees of each replaced global; a text when it throws. */
async function globals(): Promise<unknown> {
  installGlobalOverrides();
  const outside = { now: performance.now(), date: Date.now(), random: Math.random() };
  const environment = { readMs: () => 42.5, dateMs: () => 1234, randomFraction: () => 0.25 };
  const inside = (work: () => unknown) =>
    insideStep(environment, () => {
      try {
        return work();
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
  return {
    outside,
    now: inside(() => performance.now()),
    dateNow: inside(() => Date.now()),
    newDate: inside(() => new Date().toISOString()),
    utcHours: inside(() => new Date(3_600_000).getUTCHours()),
    localHours: inside(() => new Date(0).getHours()),
    dateText: inside(() => String(new Date(0))),
    random: inside(() => Math.random()),
    setTimeout: inside(() => setTimeout(() => undefined, 0)),
    setImmediate: inside(() => setImmediate(() => undefined)),
    queueMicrotask: inside(() => queueMicrotask(() => undefined)),
    getRandomValues: inside(() => crypto.getRandomValues(new Uint8Array(1))),
    timeoutOutside: await new Promise((resolve) => setTimeout(() => resolve("came"), 1)),
  };
}

/** One NaN addition, repeated until V8 would have optimised it: which bits come out? */
async function nan(): Promise<unknown> {
  const compiled = await compileV86();
  // SAFETY: Node has them; the types name only what the product uses.
  const { Table, Module } = WebAssembly as unknown as {
    Table: new (options: { element: "anyfunc"; initial: number }) => WebAssembly.Table;
    Module: { imports(module: WebAssembly.Module): readonly { name: string; kind: string }[] };
  };
  const table = new Table({ element: "anyfunc", initial: 1924 });
  const env: Record<string, unknown> = {};
  for (const { name, kind } of Module.imports(compiled)) {
    env[name] = kind === "table" ? table : () => 0;
  }
  const { exports } = new WebAssembly.Instance(compiled, { env });
  const view = new DataView((exports["memory"] as WebAssembly.Memory).buffer);
  const xmm0 = 832;
  const results: Record<string, string[]> = {};
  for (const operation of ["instr_F20F58", "instr_F20F59"]) {
    const run = exports[operation] as (source: bigint, register: number) => void;
    const seen = new Set<string>();
    for (let i = 0; i < 400_000; i++) {
      view.setBigUint64(xmm0, 0x7ff8000000000aaan, true);
      run(0xfff8000000000bbbn, 0);
      seen.add(view.getBigUint64(xmm0, true).toString(16));
    }
    results[operation] = [...seen];
  }
  return results;
}

/** An exception inside a step: what is thrown, and what the next step does. */
async function trap(): Promise<unknown> {
  const machine = await tiny();
  machine.step({ index: 0, timeUs: 0, inputs: [] });
  // Where the machine code of v86 keeps its own data there is now garbage.
  machine.wholeState()[0]?.fill(0xee, 64, 2 ** 20);
  const attempt = () => {
    try {
      for (let index = 1; index < 100; index++) machine.step({ index, timeUs: index, inputs: [] });
      return { isTrap: false, message: "nothing was thrown" };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { isTrap: error instanceof MachineTrap, message };
    }
  };
  return { first: attempt(), second: attempt() };
}

/** Ten minutes of a sleeping guest must leave nothing on the event loop. */
async function idle(): Promise<unknown> {
  const machine = await tiny();
  const count = () => process.getActiveResourcesInfo().length;
  const before = count();
  let timeUs = 0;
  let steps = 0;
  while (timeUs < 600e6) {
    const { endUs, wakeUs } = machine.step({ index: steps++, timeUs, inputs: [] });
    timeUs = Math.max(endUs, timeUs + wakeUs);
  }
  return { steps, queued: count() - before };
}

/** Random numbers handed out before and after a move, as the state of the machine shows them. */
async function random(): Promise<unknown> {
  const runs: string[] = [];
  for (const seedByte of [1, 1, 2]) {
    const machine = await tiny();
    const seed = new Uint8Array(32).fill(seedByte);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
    machine.step({ index: 0, timeUs: 0, inputs: [{ kind: "start", seed, mac, wallClockMs: 0 }] });
    runs.push(stateHash(machine));
  }
  return { sameSeed: runs[0] === runs[1], otherSeed: runs[1] === runs[2] };
}

/** The frozen source does not change while the machine runs on, and ends with its release. */
async function afterMove(): Promise<unknown> {
  const machine = await tiny();
  for (let index = 0; index < 50; index++)
    machine.step({ index, timeUs: index * 10_000, inputs: [] });
  const before = stateHash(machine);
  const early = await machine.move().then(
    () => "moved",
    (error: Error) => error.message,
  );
  const unchanged = stateHash(machine) === before;
  await machine.prepareSpare();
  const afterSpare = stateHash(machine) === before;
  const source = await machine.move();
  const frozen = Buffer.from(source.read(0, source.memoryBytes));
  for (let index = 50; index < 90; index++)
    machine.step({ index, timeUs: index * 10_000, inputs: [] });
  const same = frozen.equals(source.read(0, source.memoryBytes));
  source.release();
  let released = "readable";
  try {
    source.read(0, 1);
  } catch (error) {
    released = error instanceof Error ? error.message : String(error);
  }
  return { early, unchanged, afterSpare, same, released };
}

/**
 * A guest that spoils the queues of its card while frames come: what came of it, and whether two
 * machines are equal afterwards, one of which was asked for its room before each step.
 */
async function hostileDriver(): Promise<unknown> {
  const images = { memoryMiB: 16, boot: { kind: "multiboot", program: hostileProgram() } } as const;
  const compiled = await compileV86();
  const frames = [new Uint8Array(60), new Uint8Array(1_514)];
  const runs: string[] = [];
  let powersOff = 0;
  let steps = 0;
  let sent = 0;
  let roomMax = 0;
  for (const asks of [false, true]) {
    const machine = await createMachine(images, compiled);
    let poweredOff = false;
    for (let index = 0; !poweredOff && index < 1_000; index++) {
      if (asks) roomMax = Math.max(roomMax, machine.ingressRoom);
      const ingress = { kind: "ingress", gateway: 1, first: 2 * index, frames } as const;
      const step = machine.step({ index, timeUs: 1_000 * index, inputs: [ingress] });
      poweredOff = step.poweredOff;
      steps++;
      sent += framesOf(step).length;
    }
    if (poweredOff) powersOff++;
    runs.push(stateHash(machine));
  }
  return { steps, powersOff, sent, roomMax, areEqual: runs[0] === runs[1] };
}
