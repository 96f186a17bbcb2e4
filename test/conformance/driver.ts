/**
 * One process of a conformance run; never inside Jest, because v86 and the replaced globals need a
 * realm of their own.
 *
 *     driver.ts record  FOLDER GUEST KIND CMDLINE   runs a guest, writes the recording and snapshots
 *     driver.ts replay  FOLDER GUEST KIND CMDLINE   executes the recording from its first entry
 *     driver.ts restore FOLDER GUEST KIND CMDLINE   executes it from the first snapshot
 *
 * The last line on stdout is the result as JSON.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  compileV86,
  createMachine,
  createTarget,
  loadGuest,
} from "../../src/vm-runner/host/machine-factory.ts";
import type { InspectableMachine } from "../../src/vm-runner/machine/deterministic-machine.ts";
import type { MachineImages } from "../../src/vm-runner/machine/images.ts";
import { Outside } from "./outside.ts";
import { Peer } from "./peer.ts";
import {
  cues,
  type GuestKind,
  guestSpec,
  isDone,
  printed,
  type RecordedEntry,
  type Recording,
  type Seen,
  sentFrames,
  stateHash,
  toEntry,
} from "./scenario.ts";
import { floatArithmetic } from "./wasm-floats.ts";

// Taken before the machine replaces it.
const realNow = performance.now.bind(performance);
const recordingMsMax = 240_000;
const hashEverySteps = { tiny: 20, linux: 8_000 };

const [mode, folder = "", guest = "", kindText, cmdline = ""] = process.argv.slice(2);
const kind: GuestKind = kindText === "linux" ? "linux" : "tiny";
const images = await loadGuest(guestSpec(guest, kind, cmdline));
const compiled = await compileV86();
const result = mode === "record" ? await record() : await replay(mode === "restore");
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function record(): Promise<unknown> {
  const floats = new Set<string>();
  let jitModules = 0;
  const onJitModule = (code: Uint8Array) => {
    jitModules++;
    for (const opcode of floatArithmetic(code)) floats.add(opcode);
  };
  const machine = await createMachine(images, compiled, { onJitModule });
  const entries: RecordedEntry[] = [];
  const hashes: Record<number, string> = {};
  const moves: number[] = [];
  const waiting = [...cues[kind]];
  const peer = new Peer();
  const outside = new Outside(peer);
  const pausesMs: number[] = [];
  let output = "";
  let timeUs = 0;
  let poweredOff = false;
  const deadline = realNow() + recordingMsMax;
  while (!poweredOff && !isDone(kind, { output, machine, peer })) {
    if (realNow() > deadline)
      throw new Error(unfinished(waiting.length, { output, machine, peer }));
    const cue = waiting[0]?.when({ output, machine, peer }) ? waiting.shift() : undefined;
    const index = entries.length;
    const inputs = [...(cue?.inputs ?? []), ...outside.inputs(cue, machine.ingressRoom)];
    entries.push({ timeUs, inputs, moves: cue?.move === true });
    const before = realNow();
    machine.deliver(toEntry(entries[index] as RecordedEntry, index));
    if (cue?.move === true) {
      moves.push(index);
      pausesMs.push(await moveAndKeep(machine, moves.length));
      hashes[index - 0.5] = stateHash(machine);
    }
    const started = realNow();
    const step = machine.run();
    output += printed(step);
    outside.onStep(step);
    if (isHashed(index, moves)) hashes[index] = stateHash(machine);
    const ranUs = Math.round(
      1000 * (Math.min(realNow(), started + 50) - Math.min(before, started)),
    );
    timeUs = Math.max(step.endUs, timeUs + (step.idle ? step.wakeUs : ranUs));
    poweredOff = step.poweredOff;
  }
  hashes[entries.length - 1] = stateHash(machine);
  const recording: Recording = {
    entries,
    hashes,
    output,
    egress: outside.egress,
    moves,
    jitModules,
    jitFloats: [...floats],
    poweredOff,
  };
  await writeFile(path.join(folder, "recording.json"), JSON.stringify(recording));
  const announcement = Buffer.from(machine.announcement ?? []).toString("hex");
  const network = { ...peer, roomForLastFlood: outside.roomForLastFlood, announcement };
  return { steps: entries.length, pausesMs, network, ...recording, entries: undefined };
}

/** Moves, and writes the snapshot to the folder. */
async function moveAndKeep(machine: InspectableMachine, number: number): Promise<number> {
  await machine.prepareSpare();
  const before = realNow();
  const source = await machine.move();
  const pauseMs = realNow() - before;
  const memory = source.read(0, source.memoryBytes);
  await writeFile(path.join(folder, `memory-${number}`), memory);
  await writeFile(path.join(folder, `devices-${number}`), source.devices);
  source.release();
  return pauseMs;
}

async function replay(fromSnapshot: boolean): Promise<unknown> {
  const recording: Recording = JSON.parse(
    await readFile(path.join(folder, "recording.json"), "utf8"),
  );
  const first = fromSnapshot ? (recording.moves[0] ?? 0) : 0;
  const machine = fromSnapshot ? await restored(images) : await createMachine(images, compiled);
  const compared: number[] = [];
  const different: number[] = [];
  const compare = (at: number) => {
    const expected = recording.hashes[at];
    if (expected === undefined) return;
    compared.push(at);
    if (stateHash(machine) !== expected) different.push(at);
  };
  let output = "";
  const egress: string[] = [];
  if (fromSnapshot) compare(first - 0.5);
  for (let index = first; index < recording.entries.length && different.length === 0; index++) {
    const entry = recording.entries[index] as RecordedEntry;
    if (!fromSnapshot || index > first) {
      machine.deliver(toEntry(entry, index));
      if (entry.moves) {
        await machine.prepareSpare();
        (await machine.move()).release();
        compare(index - 0.5);
      }
    }
    const step = machine.run();
    output += printed(step);
    egress.push(...sentFrames(step));
    compare(index);
  }
  const isSameOutput =
    (fromSnapshot ? recording.output.endsWith(output) : output === recording.output) &&
    egress.join() === recording.egress.slice(-egress.length).join();
  return { compared: compared.length, different, isSameOutput };
}

async function restored(of: MachineImages): Promise<InspectableMachine> {
  const memory = await readFile(path.join(folder, "memory-1"));
  const target = await createTarget(of, compiled, memory.length);
  for (let offset = 0; offset < memory.length; offset += 2 ** 20) {
    target.write(offset, memory.subarray(offset, offset + 2 ** 20));
  }
  return target.finish(new Uint8Array(await readFile(path.join(folder, "devices-1"))));
}

/** Regularly, and closely after each move. */
function isHashed(index: number, moves: readonly number[]): boolean {
  return index % hashEverySteps[kind] === 0 || moves.some((at) => index >= at && index < at + 3);
}

function unfinished(cuesLeft: number, { output, peer }: Seen): string {
  const network = JSON.stringify({ ...peer, queue: peer.queue.length });
  return `the guest is not done, ${cuesLeft} cues wait; ${network}; it printed: ${output}`;
}
