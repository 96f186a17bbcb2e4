/** A plan while it is made: what was decided so far, in order. */
import type { Reason } from "../api/reasons.ts";
import type { Action, PlannedEvent } from "./actions.ts";

export class Draft {
  readonly actions: Action[] = [];
  readonly events: PlannedEvent[] = [];
  #againInMs: number | null = null;

  act(action: Action): void {
    this.actions.push(action);
  }

  note(reason: Reason, message: string): void {
    this.events.push({ type: "Normal", reason, message });
  }

  warn(reason: Reason, message: string): void {
    this.events.push({ type: "Warning", reason, message });
  }

  /** Look again in `ms` at the latest. */
  again(ms: number): void {
    this.#againInMs = Math.min(this.#againInMs ?? Number.POSITIVE_INFINITY, Math.max(ms, 1));
  }

  get againInMs(): number | null {
    return this.#againInMs;
  }
}
