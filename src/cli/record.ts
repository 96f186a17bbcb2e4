/** `lockstep record`: runs one guest, its console on the terminal, and keeps its log in a file. */
import { createReadStream, existsSync } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";
import { Command } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { type Recording, type RecordingEnd, startRecording } from "../vm-runner/recording.ts";
import type { RunnerOutput } from "../vm-runner/replay/executor-protocol.ts";
import { CommandError, runCommand } from "./command-error.ts";
import { PendingInput } from "./console/pending-input.ts";
import { parseDuration } from "./duration.ts";
import { withGuestErrors } from "./guest-errors.ts";
import { parseMemory } from "./options.ts";

interface Flags {
  readonly guest: string;
  readonly memory: number;
  readonly log: string;
  readonly for?: number;
  readonly input?: string;
}

const controlC = 3;
/** Only one writer types here; any number will do. */
const writer = 1;

export function recordCommand(): Command {
  return new Command("record")
    .description("run one guest and keep its log, to be replayed with `lockstep replay`")
    .requiredOption("--log <file>", "where to write the log; replaced if it is there")
    .option(
      "--guest <guest>",
      '"default", "servers", "tiny" or a directory with a guest.json',
      "default",
    )
    .option("--memory <MiB>", "guest memory", parseMemory, 128)
    .option("--for <duration>", 'stop after so long, such as "30s"', parseDuration)
    .option("--input <file>", "type what is in this file, instead of what comes on stdin")
    .addHelpText("after", "\nCtrl-C ends the recording.")
    .action((flags: Flags) => runCommand("record", () => withGuestErrors(() => record(flags))));
}

async function record(flags: Flags): Promise<number> {
  const typed = openInput(flags.input);
  const pending = new PendingInput();
  const recording = await startRecording({
    guest: flags.guest,
    memoryMiB: flags.memory,
    log: flags.log,
    onProgress: note,
    onOutput: (output) => show(output, pending, () => send(pending, recording, typed)),
  });
  const stop = () => recording.stop();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const timer = flags.for === undefined ? undefined : setTimeout(stop, flags.for);
  typed.on("error", (error) => note(`input: ${error.message}`));
  typed.on("data", (bytes: Buffer) => {
    if (isTerminal(typed) && bytes.includes(controlC)) stop();
    pending.add(bytes);
    send(pending, recording, typed);
  });
  if (isTerminal(typed)) process.stdin.setRawMode(true);
  try {
    return report(await recording.ended, flags.log);
  } finally {
    clearTimeout(timer);
    if (isTerminal(typed)) process.stdin.setRawMode(false);
    typed.destroy();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function openInput(file: string | undefined): Readable {
  if (file === undefined) return process.stdin;
  if (!existsSync(file)) throw new CommandError(exitCodes.usage, `there is no input file ${file}`);
  return createReadStream(file);
}

function isTerminal(typed: Readable): boolean {
  return typed === process.stdin && process.stdin.isTTY;
}

function show(output: RunnerOutput, pending: PendingInput, onAccepted: () => void): void {
  if (output.kind === "console") process.stdout.write(output.bytes);
  if (output.kind === "accepted") {
    pending.accepted(output.position);
    onAccepted();
  }
}

/** Gives what may be given, and lets whoever types wait while there is too much. */
function send(pending: PendingInput, recording: Recording, typed: Readable): void {
  for (let next = pending.take(); next !== null; next = pending.take()) {
    recording.input({ kind: "console", writer, ...next });
  }
  if (pending.hasRoom) typed.resume();
  else typed.pause();
}

function report(end: RecordingEnd, log: string): number {
  if (end.kind === "trapped") {
    throw new CommandError(
      exitCodes.trapped,
      `the machine trapped at step ${end.index}: ${end.message}`,
    );
  }
  const why = end.kind === "poweredOff" ? "the guest is off; " : "";
  const perStep = end.steps === 0 ? 0 : end.bytes / end.steps;
  note(`${why}${end.steps} steps in ${log}, ${end.bytes} bytes (${perStep.toFixed(1)} per step)`);
  return exitCodes.ok;
}

function note(text: string): void {
  process.stderr.write(`lockstep record: ${text}\n`);
}
