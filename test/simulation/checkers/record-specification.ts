/**
 * What a request makes of a record, written from the table of transitions in the design and from
 * nothing else: the product's own decision (transition.ts) is what is judged by it.
 */
import type { Nonce, RefusalReason, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";

/** The record that `request` makes of `record`, or why it makes none. */
export function specified(record: VmRecord, request: RunnerRequest): VmRecord | RefusalReason {
  const { vm, epoch, primary, backup, takeovers } = record;
  if (vm !== request.vm) return "another VM";
  if (request.kind === "start") return started(record, request.runner);
  if (epoch > request.epoch) return "stale epoch";
  if (epoch < request.epoch) return "unknown epoch";
  const next = epoch + 1;
  if (request.kind === "restart") return restarted(record, request.runner);
  if (request.kind === "takeover") {
    if (backup !== request.runner) return "not the backup";
    return { vm, epoch: next, primary: backup, backup: null, takeovers: takeovers + 1 };
  }
  if (primary !== request.runner) return "not the primary";
  switch (request.kind) {
    case "pair":
      if (request.backup === primary) return "own backup";
      return { vm, epoch: next, primary, backup: request.backup, takeovers };
    case "alone":
      return { vm, epoch: next, primary, backup: null, takeovers };
    case "handover":
      if (backup === null) return "no backup";
      return { vm, epoch: next, primary: backup, backup: primary, takeovers };
    case "stop":
      return { vm, epoch: next, primary: null, backup: null, takeovers };
  }
}

function started({ vm, epoch, takeovers }: VmRecord, runner: Nonce): VmRecord | RefusalReason {
  if (epoch !== 0) return "already started";
  return { vm, epoch: 1, primary: runner, backup: null, takeovers };
}

/** The operator's word, bound to the epoch: whoever is named is gone, so it cannot be the asker. */
function restarted(record: VmRecord, runner: Nonce): VmRecord | RefusalReason {
  const { vm, epoch, primary, backup, takeovers } = record;
  if (primary === runner || backup === runner) return "already named";
  return { vm, epoch: epoch + 1, primary: runner, backup: null, takeovers };
}

/** "epoch 3: a with b, 1 take-over" */
export function recordWords({ epoch, primary, backup, takeovers }: VmRecord): string {
  const who = primary === null ? "nobody" : backup === null ? `${primary} alone` : null;
  return `epoch ${epoch}: ${who ?? `${primary} with ${backup}`}, ${takeovers} take-overs`;
}

export function requestWords(request: RunnerRequest | { readonly kind: "read" }): string {
  if (request.kind === "read") return "read";
  const backup = request.kind === "pair" ? ` with ${request.backup}` : "";
  return `${request.kind} of ${request.runner}${backup} at epoch ${request.epoch}`;
}

export function sameRecord(a: VmRecord, b: VmRecord): boolean {
  return (
    a.vm === b.vm &&
    a.epoch === b.epoch &&
    a.primary === b.primary &&
    a.backup === b.backup &&
    a.takeovers === b.takeovers
  );
}
