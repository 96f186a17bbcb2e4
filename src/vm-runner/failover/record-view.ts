/**
 * What a runner knows of the record, and what it has asked and cannot yet know the fate of.
 *
 * A request whose answer was lost may still land. It is settled by its result or by a later granted
 * transition, that is, by any record of a higher epoch; never by reading that the old epoch still
 * stands.
 */
import { assert } from "../../shared/assert.ts";
import type { Nonce, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";

export interface RecordView {
  /** The record of the highest epoch seen; null before the first was read. */
  readonly known: VmRecord | null;
  /** Requests sent at the known epoch whose fate is unknown. */
  readonly unsettled: readonly RunnerRequest[];
}

/** The requests that a runner makes, each naming the epoch it expects. */
export type RunnerRequest = Exclude<RecordRequest, { kind: "create" }>;

export const emptyView: RecordView = { known: null, unsettled: [] };

export function noteAsked(view: RecordView, request: RunnerRequest): RecordView {
  assert(
    view.known !== null && request.epoch === view.known.epoch,
    `asked for ${request.kind} at epoch ${request.epoch}, known is ${view.known?.epoch}`,
  );
  const again = view.unsettled.some((other) => sameRequest(other, request));
  return again ? view : { ...view, unsettled: [...view.unsettled, request] };
}

/** Takes in a record that was read or came with an answer; an older one changes nothing. */
export function noteRecord(view: RecordView, record: VmRecord): RecordView {
  if (view.known !== null && record.epoch < view.known.epoch) return view;
  const settled = view.known === null || record.epoch > view.known.epoch;
  return { known: record, unsettled: settled ? [] : view.unsettled };
}

/**
 * Everybody who is, or could by now be, the backup named beside primary `me`; null when `me` is
 * not known to be the primary, or may have handed over.
 */
export function possibleBackups(view: RecordView, me: Nonce): ReadonlySet<Nonce> | null {
  if (view.known?.primary !== me) return null;
  const backups = new Set<Nonce>();
  if (view.known.backup !== null) backups.add(view.known.backup);
  for (const request of view.unsettled) {
    if (request.kind === "handover") return null;
    if (request.kind === "pair") backups.add(request.backup);
  }
  return backups;
}

function sameRequest(a: RunnerRequest, b: RunnerRequest): boolean {
  const backup = (r: RunnerRequest) => (r.kind === "pair" ? r.backup : null);
  return a.kind === b.kind && a.epoch === b.epoch && backup(a) === backup(b);
}
