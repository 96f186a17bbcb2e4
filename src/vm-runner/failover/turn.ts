/** One step of the core: the time that was handed in, and the effects collected so far. */

import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { ExecutorCommand } from "../replay/executor-protocol.ts";
import type { ExitReason, Link, PairEffect, PairReport, PairState } from "./pair-types.ts";
import { noteAsked, type RunnerRequest } from "./record-view.ts";

/** A request or a reading without an answer is repeated after this long. */
export const recordRetryMs = 50;

export class Turn {
  readonly effects: PairEffect[] = [];
  readonly nowMs: number;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  command(command: ExecutorCommand): void {
    this.effects.push({ kind: "executor", command });
  }

  send(link: Link | null, message: ChannelMessage): void {
    if (link !== null) this.effects.push({ kind: "send", link, message });
  }

  hangUp(link: Link | null): void {
    if (link !== null) this.effects.push({ kind: "hangUp", link });
  }

  report(report: PairReport): void {
    this.effects.push({ kind: "report", report });
  }

  /** Ends the runner: the last effect of its life. */
  stop(state: PairState, reason: ExitReason, message: string): PairState {
    this.effects.push({ kind: "exit", reason, message });
    return { ...state, role: { kind: "stopped", reason, message } };
  }

  /** Asks the record's store, unless an earlier request is still under way or was just refused. */
  ask(state: PairState, request: RunnerRequest): PairState {
    if (state.asking || this.nowMs < state.askAgainMs) return state;
    this.effects.push({ kind: "ask", request });
    return { ...state, asking: true, view: noteAsked(state.view, request) };
  }

  /** Reads the record, unless a reading is under way or one has just failed. */
  read(state: PairState): PairState {
    if (state.reading || this.nowMs < state.readAgainMs) return state;
    this.effects.push({ kind: "readRecord" });
    return { ...state, reading: true };
  }
}
