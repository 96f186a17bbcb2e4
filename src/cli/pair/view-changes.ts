/** Finds out what happened between two looks at a pair. */
import type { HalfId, PairEvent, PairView } from "./events.ts";

export function changes(before: PairView, after: PairView): PairEvent[] {
  return [
    ...recordChanges(before, after),
    ...transferChanges(before, after),
    ...guestChanges(before, after),
  ];
}

function guestChanges(before: PairView, after: PairView): PairEvent[] {
  const { guest } = after;
  if (guest === null || !guest.ready || before.guest?.ready === true) return [];
  return [{ kind: "guest ready", waitsFor: guest.waitsFor }];
}

function recordChanges(before: PairView, after: PairView): PairEvent[] {
  const [was, is] = [before.record, after.record];
  if (is === null || is.epoch === was?.epoch) return [];
  const { epoch } = is;
  const primary = halfOf(after, is.primary);
  const backup = halfOf(after, is.backup);
  const events: PairEvent[] = [];
  if (primary !== null && is.primary !== was?.primary) {
    const planned = is.takeovers === (was?.takeovers ?? 0);
    if (was === null || was.primary === null)
      events.push({ kind: "primary", half: primary, epoch });
    else events.push({ kind: "took over", half: primary, epoch, planned });
  }
  if (backup !== null && is.backup !== was?.backup) {
    events.push({ kind: "redundant", backup, epoch });
  } else if (primary !== null && is.backup === null && was !== null && was.backup !== null) {
    events.push({ kind: "alone", primary, epoch });
  }
  return events;
}

function transferChanges(before: PairView, after: PairView): PairEvent[] {
  return after.halves.flatMap((half, i): PairEvent[] => {
    const was = before.halves[i];
    if (half.status === null || was?.status == null) return [];
    if (half.nonce !== was.nonce || half.status.role !== "primary") return [];
    const { finished, lastMs, lastPauseMs, lastBytes } = half.status.transfers;
    if (finished <= was.status.transfers.finished) return [];
    return [{ kind: "transferred", ms: lastMs, pauseMs: lastPauseMs, bytes: lastBytes }];
  });
}

/** Which half has this nonce now. */
function halfOf(view: PairView, nonce: string | null): HalfId | null {
  if (nonce === null) return null;
  return view.halves.find((half) => half.nonce === nonce)?.id ?? null;
}
