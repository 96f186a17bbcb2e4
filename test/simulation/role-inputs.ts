/** Which inputs met which roles: what tells best how far a simulation has come. */
import type { PairInput, Role } from "../../src/vm-runner/failover/pair-types.ts";

export class Coverage {
  /** Inputs taken in. */
  inputs = 0;
  /** By role, the inputs with their detail. */
  readonly #met = new Map<Role["kind"], Map<string, Set<string>>>();

  note(role: Role["kind"], input: PairInput): void {
    this.inputs++;
    let ofRole = this.#met.get(role);
    if (ofRole === undefined) {
      ofRole = new Map();
      this.#met.set(role, ofRole);
    }
    let details = ofRole.get(input.kind);
    if (details === undefined) {
      details = new Set();
      ofRole.set(input.kind, details);
    }
    details.add(detailOf(input));
  }

  /** Such as "follower: message batch". */
  get pairs(): readonly string[] {
    const pairs: string[] = [];
    for (const [role, kinds] of this.#met) {
      for (const [kind, details] of kinds) {
        for (const detail of details) pairs.push(`${role}: ${kind} ${detail}`.trim());
      }
    }
    return pairs.sort();
  }
}

function detailOf(input: PairInput): string {
  switch (input.kind) {
    case "message":
      return input.message.kind;
    case "executor":
      return input.event.kind;
    case "guestInput":
      return input.input.kind;
    case "answer":
      return `${input.request.kind} ${input.outcome.kind}`;
    default:
      return "";
  }
}
