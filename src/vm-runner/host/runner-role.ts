/** The role of a runner as its users see it. */
import { unreachable } from "../../shared/assert.ts";
import type { RunnerRole } from "../../shared/protocol/status.ts";
import type { PairState } from "../failover/pair-types.ts";

export const runnerRoles: readonly RunnerRole[] = [
  "candidate",
  "joining",
  "backup",
  "taking over",
  "primary",
  "stopped",
];

/** A follower is the backup once the record names it. */
export function roleOf({ role, view, config }: PairState): RunnerRole {
  switch (role.kind) {
    case "candidate":
    case "primary":
    case "stopped":
      return role.kind;
    case "follower":
      return view.known?.backup === config.nonce ? "backup" : "joining";
    case "takingOver":
      return "taking over";
  }
  return unreachable(role);
}
