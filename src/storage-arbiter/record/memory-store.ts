/** Records in memory, for the simulator and for tests; nothing survives the process. */
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import type { RecordStore } from "./record-store.ts";
import { transition } from "./transition.ts";

export class MemoryStore implements RecordStore {
  readonly #records = new Map<string, VmRecord>();

  read(vm: string): VmRecord | null {
    return this.#records.get(vm) ?? null;
  }

  apply(request: RecordRequest): RecordOutcome {
    const outcome = transition(this.read(request.vm), request);
    if (outcome.kind === "granted") this.#records.set(request.vm, outcome.record);
    return outcome;
  }
}
