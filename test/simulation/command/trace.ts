/**
 * One line for each event, in fixed columns: time in ms, process, kind, details. An input and what
 * the core did about it stand on one line: "role: input -> effect; effect". docs/simulator.md says how
 * to read them.
 */
import { unreachable } from "../../../src/shared/assert.ts";
import type { RecordOutcome, VmRecord } from "../../../src/shared/protocol/record.ts";
import type {
  PairEffect,
  PairInput,
  PairReport,
} from "../../../src/vm-runner/failover/pair-types.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import type { ChannelMessage } from "../../../src/vm-runner/logging-channel/messages.ts";
import type {
  Batch,
  ExecutorCommand,
  ExecutorEvent,
  RunnerOutput,
} from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { LogInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Answer, SimEvent } from "../events.ts";
import { lineOf } from "../machine/frames.ts";
import { faultInWords } from "./fault-words.ts";

const timeWidth = 10;
const processWidth = 7;
const kindWidth = 8;
/** Of bytes that were printed or typed. */
const textMax = 24;
/** Of frames that travel together. */
const framesMax = 4;

export function traceLine(event: SimEvent): string {
  const time = event.atMs.toFixed(3).padStart(timeWidth);
  const process = processOf(event).padEnd(processWidth);
  return `${time}  ${process} ${event.kind.padEnd(kindWidth)} ${detailsOf(event)}`.trimEnd();
}

function processOf(event: SimEvent): string {
  if ("process" in event) return event.process;
  if ("writer" in event) return `client${event.writer}`;
  return event.kind === "granted" || event.kind === "answered" ? "record" : "-";
}

function detailsOf(event: SimEvent): string {
  switch (event.kind) {
    case "joined":
    case "follows":
      return `the life that began at epoch ${event.life}`;
    case "suspected":
      return `the other half: ${event.reason}`;
    case "started":
      return `on ${event.node}`;
    case "ended":
      return event.reason === null
        ? `on ${event.node}: killed`
        : `on ${event.node}: ${event.reason}: ${event.message}`;
    case "input": {
      const effects = event.effects.map(effectInWords);
      const done = effects.length === 0 ? "" : ` -> ${effects.join("; ")}`;
      return `${event.role}: ${inputInWords(event.input)}${done}`;
    }
    case "received":
    case "recorded":
      return batchInWords(event.batch);
    case "restored":
      return `at entry ${event.first} chain ${hex(event.chain)}`;
    case "executed": {
      const { entry, chain, fingerprint, outputs } = event.step;
      const inputs = entry.inputs.map((input) => ` ${logInputInWords(input)}`).join("");
      const printed = outputs.map((output) => ` => ${outputInWords(output)}`).join("");
      return `${entry.index} at ${entry.timeUs} us chain ${hex(chain)} state ${hex(fingerprint)}${inputs}${printed}`;
    }
    case "lived":
      return `primary of epoch ${event.epoch} from entry ${event.next} on, after chain ${hex(event.chain)}`;
    case "released":
      return `of step ${event.index} at epoch ${event.epoch}: ${outputInWords(event.output)}`;
    case "asked":
      return `call ${event.call}: ${requestInWords(event.request)}`;
    case "answered":
      return `call ${event.call}: ${answerInWords(event.answer)}`;
    case "granted":
      return recordInWords(event.record);
    case "typed":
    case "seen":
      return textInWords(event.position, event.bytes);
    case "accepted":
      return `everything below ${event.position}`;
    case "gatewayStarted":
      return `in the log as ${event.gateway}`;
    case "gatewayEnded":
      return "";
    case "misled":
      return `reads epoch ${event.epoch}, which is over`;
    case "claimed":
      return `lives in epoch ${event.epoch}, knows epoch ${event.known}`;
    case "attached":
      return `${event.runner} of epoch ${event.epoch}`;
    case "entered":
      return lineOf(event.frame);
    case "left":
      return `from ${event.runner ?? "nobody"} of epoch ${event.epoch}: ${lineOf(event.frame)}`;
    case "lost":
      return `${event.ingress} frames for the guest, ${event.egress} of the guest`;
    case "buffer":
      return `${event.buffer} ${event.size} of ${event.limit}`;
    case "fault":
      return faultInWords(event.fault);
    case "calm":
      return "no more faults";
  }
  return unreachable(event);
}

function inputInWords(input: PairInput): string {
  switch (input.kind) {
    case "executor":
      return executorEventInWords(input.event);
    case "message":
      return `link ${input.link} ${messageInWords(input.message)}`;
    case "answer":
      return `answer to ${input.request.kind}: ${outcomeInWords(input.outcome)}`;
    case "recordRead":
      return `record read: ${recordInWords(input.record)}`;
    case "heartbeat":
      return `heartbeat of ${input.nonce}`;
    case "dialled":
    case "linkClosed":
      return `${input.kind} ${input.link}`;
    case "dialFailed":
      return input.refused ? "dial refused" : "dial without answer";
    case "wrongKey":
      return `wrong key: ${input.message}`;
    case "chunkSent":
      return `chunk of snapshot ${input.id} sent`;
    case "guestInput":
      return logInputInWords(input.input);
    case "tick":
    case "noAnswer":
    case "recordUnreadable":
    case "terminate":
    case "powerOff":
      return input.kind;
  }
  return unreachable(input);
}

function effectInWords(effect: PairEffect): string {
  switch (effect.kind) {
    case "executor":
      return commandInWords(effect.command);
    case "send":
      return `send ${effect.link} ${messageInWords(effect.message)}`;
    case "hangUp":
      return `hang up ${effect.link}`;
    case "ask":
      return `ask ${requestInWords(effect.request)}`;
    case "remember":
      return `remember ${outputInWords(effect.output)}`;
    case "release":
      return `release ${outputInWords(effect.output)}`;
    case "goLive":
      return `go live in epoch ${effect.epoch}`;
    case "report":
      return reportInWords(effect.report);
    case "exit":
      return `exit ${effect.reason}: ${effect.message}`;
    case "recordFirstLife":
    case "dial":
    case "readRecord":
    case "releaseRemembered":
      return effect.kind;
  }
  return unreachable(effect);
}

function executorEventInWords(event: ExecutorEvent): string {
  switch (event.kind) {
    case "recorded":
      return `recorded ${batchInWords(event.batch)}`;
    case "output":
      return `output of ${event.index}: ${outputInWords(event.output)}`;
    case "executed":
    case "poweredOff":
      return `${event.kind} ${event.index}`;
    case "live":
    case "paused":
      return `${event.kind}, next ${event.next}`;
    case "snapshotTaken":
      return `snapshot ${event.id} taken at entry ${event.index}`;
    case "snapshotChunk":
      return `chunk of snapshot ${event.id} at ${event.offset}+${event.bytes.length}`;
    case "snapshotFailed":
      return `snapshot ${event.id} failed: ${event.message}`;
    case "restored":
      return `restored ${event.id} at entry ${event.first}`;
    case "restoreFailed":
      return `restore ${event.id} failed: ${event.message}`;
    case "diverged":
      return `diverged at ${event.index}: ${event.what}`;
    case "trapped":
      return `trapped at ${event.index}: ${event.message}`;
    case "ready":
      return "ready";
  }
  return unreachable(event);
}

function commandInWords(command: ExecutorCommand): string {
  switch (command.kind) {
    case "record":
      return `record${command.inputs.map((input) => ` ${logInputInWords(input)}`).join("")}`;
    case "replay":
      return `replay ${batchInWords(command.batch)}`;
    case "input":
      return `input ${logInputInWords(command.input)}`;
    case "allowance":
      return `allowance ${command.through}`;
    case "cpuLimit":
      return `cpuLimit ${command.share.toFixed(3)}`;
    case "takeSnapshot":
    case "readSnapshot":
    case "releaseSnapshot":
      return `${command.kind} ${command.id}`;
    case "beginRestore":
      return `beginRestore ${command.id}`;
    case "restoreChunk":
      return `restoreChunk ${command.id} at ${command.offset}+${command.bytes.length}`;
    case "finishRestore":
      return `finishRestore ${command.id} at entry ${command.first}`;
    case "pause":
    case "stop":
      return command.kind;
  }
  return unreachable(command);
}

function messageInWords(message: ChannelMessage): string {
  switch (message.kind) {
    case "hello":
      return `hello of ${message.nonce} with ${message.received}`;
    case "welcome":
      return `welcome of ${message.nonce}, next ${message.next}`;
    case "refuse":
    case "bye":
      return `${message.kind} (${message.reason})`;
    case "batch":
      return `batch ${batchInWords(message.batch)}`;
    case "ack":
      return `ack ${message.received}, executed ${message.executed}`;
    case "snapshotBegin":
      return `snapshot ${message.id} begins at entry ${message.index}`;
    case "snapshotChunk":
      return `snapshot ${message.id} ${message.offset}+${message.bytes.length}`;
    case "snapshotEnd":
      return `snapshot ${message.id} ends`;
    case "recordChanged":
      return `record changed: ${recordInWords(message.record)}`;
  }
  return unreachable(message);
}

function reportInWords(report: PairReport): string {
  switch (report.kind) {
    case "record":
      return `knows ${recordInWords(report.record)}`;
    case "live":
    case "suspected":
      return `${report.kind} (${report.reason})`;
    case "followerLost":
      return `lost ${report.nonce} (${report.reason})`;
    case "paired":
      return `paired with ${report.backup}`;
    case "acknowledged":
      return `acknowledged ${report.through}`;
    case "followerRefused":
    case "transferFailed":
    case "badMessage":
      return `${report.kind} (${report.message})`;
    case "transferStarted":
    case "snapshotTaken":
    case "transferFinished":
      return `${report.kind} ${report.id}`;
    case "lag":
      return `lag ${report.entries}`;
    case "egressDropped":
      return `dropped ${report.frames} frames`;
  }
  return unreachable(report);
}

function requestInWords(request: RunnerRequest | { readonly kind: "read" }): string {
  if (request.kind === "read") return "read";
  const backup = request.kind === "pair" ? ` with ${request.backup}` : "";
  return `${request.kind}${backup} for ${request.runner} at epoch ${request.epoch}`;
}

function answerInWords(answer: Answer): string {
  switch (answer.kind) {
    case "outcome":
      return outcomeInWords(answer.outcome);
    case "record":
      return recordInWords(answer.record);
    case "none":
      return "no answer";
  }
  return unreachable(answer);
}

function outcomeInWords(outcome: RecordOutcome): string {
  const why = outcome.kind === "refused" ? ` (${outcome.reason})` : "";
  return `${outcome.kind}${why} ${recordInWords(outcome.record)}`;
}

function recordInWords(record: VmRecord | null): string {
  if (record === null) return "no record";
  const { epoch, primary, backup, takeovers } = record;
  return `epoch ${epoch} primary ${primary ?? "-"} backup ${backup ?? "-"} takeovers ${takeovers}`;
}

function batchInWords({ first, count }: Batch): string {
  if (count === 0) return `sign of life before ${first}`;
  return count === 1 ? `${first}` : `${first}..${first + count - 1}`;
}

function outputInWords(output: RunnerOutput): string {
  switch (output.kind) {
    case "console":
      return textInWords(output.position, output.bytes);
    case "egress":
      return framesInWords(output.first, output.frames);
    case "accepted":
      return `accepted below ${output.position} of writer ${output.writer}`;
    case "ingressAccepted":
      return `accepted frames before ${output.next} of gateway ${output.gateway}`;
  }
  return unreachable(output);
}

function logInputInWords(input: LogInput): string {
  switch (input.kind) {
    case "console":
      return `writer ${input.writer} ${textInWords(input.position, input.bytes)}`;
    case "ingress":
      return `gateway ${input.gateway} ${framesInWords(input.first, input.frames)}`;
    case "stateHash":
      return `stateHash of ${input.snapshot}`;
    case "start":
    case "snapshot":
    case "powerOff":
      return input.kind;
  }
  return unreachable(input);
}

/** Numbers, and what the frames say: the simulated ones are lines of text. */
function framesInWords(first: number, frames: readonly Uint8Array[]): string {
  const lines = frames.slice(0, framesMax).map((frame) => `"${lineOf(frame)}"`);
  return `#${first}+${frames.length} ${lines.join(" ")}${frames.length > framesMax ? "…" : ""}`;
}

/** Position and length of all, text of the beginning; whatever is not printable is a dot. */
function textInWords(position: number, bytes: Uint8Array): string {
  const shown = String.fromCharCode(...bytes.subarray(0, textMax)).replace(/[^ -~]/g, ".");
  return `@${position}+${bytes.length} "${shown}"${bytes.length > textMax ? "…" : ""}`;
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
