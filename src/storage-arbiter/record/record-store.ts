import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";

/** A place that keeps records and changes them one transition at a time. */
export interface RecordStore {
  /** The current record; null: there is none. It is durable before it is returned. */
  read(vm: string): VmRecord | null | Promise<VmRecord | null>;
  /** Decides and, when the decision changes the record, keeps the change before it answers. */
  apply(request: RecordRequest): RecordOutcome | Promise<RecordOutcome>;
}
