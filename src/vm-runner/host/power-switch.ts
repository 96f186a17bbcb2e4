/** `POST /poweroff`: the order to switch the VM off through the log, wherever it is served. */
import type { RequestHandler } from "express";
import type { PairState } from "../failover/pair-types.ts";
import { roleOf } from "./runner-role.ts";

export interface PowerSwitch {
  readonly state: () => PairState;
  readonly onPowerOff: () => void;
}

/**
 * 202: the order is taken, and the runner ends once both halves have executed the guest's end. 409
 * and a sentence: not by this runner. Repeated orders are harmless.
 */
export function powerSwitch({ state, onPowerOff }: PowerSwitch): RequestHandler {
  return (_request, response) => {
    const refusal = whyNot(state());
    if (refusal !== null) {
      response.status(409).json({ error: refusal });
      return;
    }
    onPowerOff();
    response.status(202).json({ accepted: true });
  };
}

/** Only the primary in which the guest lives takes orders; null: this is it. */
function whyNot(state: PairState): string | null {
  const { role } = state;
  if (role.kind !== "primary") return `this runner is ${roleOf(state)}, not the primary`;
  if (!role.live) return "this runner is the primary, but the guest does not run in it yet";
  if (role.leaving !== null) return "this runner is leaving; the next primary takes orders";
  return null;
}
