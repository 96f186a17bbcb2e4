/** The machine is switched off by its primary, through the log, so that both halves execute its end. */
import type { Draft } from "./draft.ts";
import type { PairSight } from "./sight.ts";

/** The order is repeated until the record says that the machine is off. */
const repeatMs = 3_000;

/**
 * Without the pair's key nobody can order anything of it. The halves are told to leave, as any pod is: first
 * the backup, so that the primary finds nobody to hand over to, and switches the guest off.
 */
export function planDismissal({ primary, backup }: PairSight, draft: Draft): void {
  draft.again(repeatMs);
  const next = backup !== null && !backup.gone ? backup : primary;
  if (next === null || next.gone || next.pod.deleting) return;
  draft.act({ kind: "deletePod", name: next.pod.name, uid: next.pod.uid, force: false });
}

/** Gives whether there was somebody to order it of. */
export function planPowerOff({ primary }: PairSight, draft: Draft): boolean {
  draft.again(repeatMs);
  if (primary === null || primary.gone || primary.pod.ip === null) return false;
  draft.act({ kind: "powerOff", pod: primary.pod.name, ip: primary.pod.ip });
  return true;
}
