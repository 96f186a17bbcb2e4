/**
 * The protocol of the pair: one pure function from (state, input, time) to (state, effects). It
 * decides who the primary is, which outputs may leave, when the other half counts as lost, and how
 * redundancy comes back; it does no I/O and has no clock. The shell (`../host/runner.ts`) and the
 * simulator perform the same effects.
 *
 * The invariant: an output leaves only if every runner that could go live has acknowledged all
 * that the output depends on, and only one runner at a time is named primary by the record.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> candidate
 *   candidate --> primary: start or restart granted
 *   candidate --> follower: welcome from the primary
 *   follower --> candidate: transfer broken off, nothing executed
 *   follower --> takingOver: primary lost, the record names me backup
 *   takingOver --> primary: takeover granted
 *   primary --> follower: handover granted
 *   follower --> primary: handover granted
 *   follower --> stopped: not named
 *   takingOver --> stopped: refused
 *   primary --> stopped: superseded, or stop granted
 * ```
 *
 * The paper: section 2.2 (Output Rule), 2.3 (detection and test-and-set), 2.4 (buffers, lag), 3.1
 * (FT VMotion).
 */
import { unreachable } from "../../shared/assert.ts";
import type { RecordOutcome, VmRecord } from "../../shared/protocol/record.ts";
import type {
  ChannelMessage,
  Fingerprint,
  Hello,
  RefuseReason,
} from "../logging-channel/messages.ts";
import { onCandidateInput, reviewCandidate } from "./candidate.ts";
import { standstillMs } from "./failure-detector.ts";
import { excuseFollower, onFollowerInput, reviewFollower } from "./follower.ts";
import type { Link, PairConfig, PairEffect, PairInput, PairState, Role } from "./pair-types.ts";
import { onPrimaryInput, reviewPrimary } from "./primary.ts";
import { excusePrimary } from "./primary-follower.ts";
import { emptyView, noteRecord } from "./record-view.ts";
import { candidateRole } from "./roles.ts";
import { onTakingOverInput, reviewTakingOver } from "./taking-over.ts";
import { recordRetryMs, Turn } from "./turn.ts";

export function initialState(config: PairConfig, nowMs: number): PairState {
  return {
    config,
    view: emptyView,
    asking: false,
    askAgainMs: nowMs,
    reading: false,
    readAgainMs: nowMs,
    tickMs: nowMs,
    life: null,
    role: candidateRole(nowMs),
  };
}

/** Takes in one input at time `nowMs` (monotonic milliseconds; only differences count). */
export function step(
  state: PairState,
  input: PairInput,
  nowMs: number,
): { readonly state: PairState; readonly effects: readonly PairEffect[] } {
  const turn = new Turn(nowMs);
  const next = state.role.kind === "stopped" ? state : take(state, input, turn);
  return { state: next, effects: turn.effects };
}

function take(state: PairState, input: PairInput, turn: Turn): PairState {
  const known = noteRecordInput(state, input, turn);
  if (known.role.kind === "stopped") return known;
  const timed = input.kind === "tick" ? noteTick(known, turn) : known;
  return settle(onInput(timed, input, turn), turn);
}

/** Reviews until the role stays: a change of role is itself something to review. */
function settle(state: PairState, turn: Turn): PairState {
  const reviewed = review(state, turn);
  return reviewed.role.kind === state.role.kind ? reviewed : settle(reviewed, turn);
}

/** What the answers of the record's store change for every role alike. */
function noteRecordInput(state: PairState, input: PairInput, turn: Turn): PairState {
  switch (input.kind) {
    case "answer":
      return noteAnswer(state, input.outcome, turn);
    case "noAnswer":
      return { ...state, asking: false, askAgainMs: turn.nowMs + recordRetryMs };
    case "recordRead": {
      const read = { ...state, reading: false, readAgainMs: turn.nowMs };
      return learn(read, input.record, turn);
    }
    case "recordUnreadable":
      return { ...state, reading: false, readAgainMs: turn.nowMs + recordRetryMs };
    default:
      return state;
  }
}

function noteAnswer(state: PairState, outcome: RecordOutcome, turn: Turn): PairState {
  const answered = { ...state, asking: false };
  const again = outcome.kind === "refused" ? turn.nowMs + recordRetryMs : turn.nowMs;
  return learn({ ...answered, askAgainMs: again }, outcome.record, turn);
}

function learn(state: PairState, record: VmRecord | null, turn: Turn): PairState {
  if (record === null) {
    const message = `no record exists for VM ${state.config.vm}: it is made once, before any runner`;
    return turn.stop(state, "no record", message);
  }
  const view = noteRecord(state.view, record);
  if (view.known !== state.view.known && view.known?.epoch !== state.view.known?.epoch) {
    turn.report({ kind: "record", record });
  }
  const news = view.known?.epoch !== state.view.known?.epoch;
  return { ...state, view, askAgainMs: news ? turn.nowMs : state.askAgainMs };
}

/** After this runner itself stood still, the others' silence was its own. */
function noteTick(state: PairState, turn: Turn): PairState {
  const stoodStill = turn.nowMs - state.tickMs > standstillMs;
  const ticked = { ...state, tickMs: turn.nowMs };
  if (!stoodStill) return ticked;
  return excusePrimary(excuseFollower(ticked, turn.nowMs), turn.nowMs);
}

function onInput(state: PairState, input: PairInput, turn: Turn): PairState {
  if (input.kind === "message" && input.message.kind === "hello") {
    const refusal = refusalOf(state, input.message);
    if (refusal !== null) {
      reportRefused(state, input.message, refusal, turn);
      return refuse(state, input.link, refusal, turn);
    }
  }
  if (input.kind === "message" && isStranger(state, input.link, input.message)) {
    turn.report({ kind: "badMessage", message: `${input.message.kind} from a stranger` });
    turn.hangUp(input.link);
    return state;
  }
  const { role } = state;
  switch (role.kind) {
    case "candidate":
      return onCandidateInput(state, role, input, turn);
    case "follower":
      return onFollowerInput(state, role, input, turn);
    case "takingOver":
      return onTakingOverInput(state, role, input, turn);
    case "primary":
      return onPrimaryInput(state, role, input, turn);
    case "stopped":
      return state;
  }
  return unreachable(role);
}

/** What the state now calls for, whatever input led to it: requests, readings, changes of role. */
function review(state: PairState, turn: Turn): PairState {
  const { role } = state;
  switch (role.kind) {
    case "candidate":
      return reviewCandidate(state, role, turn);
    case "follower":
      return reviewFollower(state, role, turn);
    case "takingOver":
      return reviewTakingOver(state, role, turn);
    case "primary":
      return reviewPrimary(state, role, turn);
    case "stopped":
      return state;
  }
  return unreachable(role);
}

/** Who has not said hello, and was not dialled by this runner, has nothing to say. */
function isStranger({ role }: PairState, link: Link, message: ChannelMessage): boolean {
  return message.kind !== "hello" && linkOf(role) !== link;
}

function linkOf(role: Role): Link | null {
  switch (role.kind) {
    case "candidate":
    case "follower":
      return role.link;
    case "primary":
      return role.follower?.link ?? null;
    case "takingOver":
    case "stopped":
      return null;
  }
  return unreachable(role);
}

type Refusal = { readonly reason: RefuseReason; readonly message: string };

/** Why nobody of this VM and version could pair with the sender, or why not with this runner. */
function refusalOf(state: PairState, hello: Hello): Refusal | null {
  const { vm, fingerprint } = state.config;
  if (hello.vm !== vm) {
    return { reason: "another VM", message: `this runner is of VM ${vm}, not ${hello.vm}` };
  }
  const part = differingPart(fingerprint, hello.fingerprint);
  if (part !== null) {
    const ours = fingerprint[part] ?? "absent";
    const theirs = hello.fingerprint[part] ?? "absent";
    const message = `${part} differs: the primary has ${ours}, the candidate has ${theirs}`;
    return { reason: "another version", message };
  }
  if (state.role.kind !== "primary") {
    return { reason: "not the primary", message: `this runner is ${state.role.kind}` };
  }
  return null;
}

function differingPart(ours: Fingerprint, theirs: Fingerprint): string | null {
  const parts = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort();
  return parts.find((part) => ours[part] !== theirs[part]) ?? null;
}

/** Of the primary's candidates, those that could never be its backup. */
function reportRefused({ role }: PairState, { nonce }: Hello, refusal: Refusal, turn: Turn): void {
  const { reason, message } = refusal;
  if (role.kind !== "primary" || reason !== "another version") return;
  turn.report({ kind: "followerRefused", nonce, message });
}

function refuse(state: PairState, link: Link, refusal: Refusal, turn: Turn): PairState {
  turn.send(link, { kind: "refuse", ...refusal });
  turn.hangUp(link);
  return state;
}
