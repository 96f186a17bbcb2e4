/** The machine is switched off by its primary, through the log, so that both halves execute its end. */
import type { Draft } from "./draft.ts";
import type { PairSight } from "./sight.ts";

/** The order is repeated until the record says that the machine is off. */
const repeatMs = 3_000;

/** Gives whether there was somebody to order it of. */
export function planPowerOff({ primary }: PairSight, draft: Draft): boolean {
  draft.again(repeatMs);
  if (primary === null || primary.gone || primary.pod.ip === null) return false;
  draft.act({ kind: "powerOff", pod: primary.pod.name, ip: primary.pod.ip });
  return true;
}
