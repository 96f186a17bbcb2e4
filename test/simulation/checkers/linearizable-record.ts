/**
 * All calls for the record look as if each had been answered at one moment between its asking and
 * its answer, by one record that only ever does what the specification says.
 *
 * A granted request makes the next epoch, so the order is known: it is that of the epochs, and an
 * epoch stands from the moment its record became durable until the next one did. A call that was
 * answered with epoch e must therefore have been under way while e stood. A call with no answer may
 * take effect at any time after it was asked, or never.
 *
 * When somebody deletes the record, the last epoch stands no more, and none ever will: a VM that
 * lived is not made anew.
 */
import type { RefusalReason, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import type { Answer, SimEvent } from "../events.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";
import { recordWords, requestWords, sameRecord, specified } from "./record-specification.ts";

interface OpenCall {
  readonly request: RunnerRequest | { readonly kind: "read" };
  /** The epoch that stood when it was asked. */
  readonly epoch: number;
  /** The record was deleted before it was asked. */
  readonly tooLate: boolean;
}

export class LinearizableRecord implements Checker {
  /** The record of each epoch, in order. */
  readonly #records: VmRecord[] = [];
  readonly #open = new Map<number, OpenCall>();
  /** Every request ever made, under the epoch that it expects. */
  readonly #requests = new Map<number, RunnerRequest[]>();
  #calls = 0;
  #gone = false;

  observe(event: SimEvent): void {
    if (event.kind === "asked") this.#onAsked(event.call, event.request);
    else if (event.kind === "answered") this.#onAnswered(event.call, event.answer);
    else if (event.kind === "granted") this.#onGranted(event.record);
    else if (event.kind === "fault") this.#gone ||= event.fault.kind === "record gone";
  }

  finish({ record }: Outcome): void {
    const last = this.#records.at(-1);
    if (last === undefined || sameRecord(last, record)) return;
    this.#fail(`the run ended with ${recordWords(record)}, and granted was ${recordWords(last)}`);
  }

  #onAsked(call: number, request: OpenCall["request"]): void {
    if (call <= this.#calls) this.#fail(`call ${call} was asked after call ${this.#calls}`);
    this.#calls = call;
    this.#open.set(call, { request, epoch: this.#epoch, tooLate: this.#gone });
    if (request.kind === "read") return;
    const others = this.#requests.get(request.epoch);
    if (others === undefined) this.#requests.set(request.epoch, [request]);
    else others.push(request);
  }

  #onGranted(record: VmRecord): void {
    const { epoch } = record;
    if (this.#gone) {
      this.#fail(
        `a VM that lived was made anew: granted was ${recordWords(record)} after the record of ` +
          `epoch ${this.#epoch} was deleted`,
      );
    }
    const known = this.#records[epoch];
    if (known !== undefined) {
      this.#fail(`granted twice: ${recordWords(known)}, and then ${recordWords(record)}`);
    }
    if (epoch !== this.#epoch + 1) {
      this.#fail(`granted was ${recordWords(record)} when epoch ${this.#epoch} stood`);
    }
    const before = this.#records[epoch - 1];
    if (before === undefined) {
      const fresh = { vm: record.vm, epoch: 0, primary: null, backup: null, takeovers: 0 };
      if (!sameRecord(record, fresh)) this.#fail(`the first record was ${recordWords(record)}`);
    } else {
      this.#requireAskedFor(before, record);
    }
    this.#records.push(record);
  }

  #requireAskedFor(before: VmRecord, record: VmRecord): void {
    const requests = this.#requests.get(before.epoch) ?? [];
    if (requests.some((request) => isResult(specified(before, request), record))) return;
    const asked = requests.map(requestWords).join("; ") || "nothing at that epoch";
    this.#fail(
      `granted was ${recordWords(record)} after ${recordWords(before)}, which nobody had asked ` +
        `for; asked was: ${asked}`,
    );
  }

  #onAnswered(number: number, answer: Answer): void {
    const call = this.#open.get(number);
    if (call === undefined) throw failed(`call ${number} was answered and not open`);
    this.#open.delete(number);
    const { request } = call;
    const words = `call ${number} (${requestWords(request)})`;
    if (answer.kind === "none") return;
    if ((answer.kind === "record") !== (request.kind === "read")) {
      this.#fail(`${words} was answered with ${answer.kind}`);
    }
    const record = answer.kind === "record" ? answer.record : answer.outcome.record;
    if (record === null) {
      // It was asked before the record was made, or answered after it was deleted.
      if (call.epoch >= 0 && !this.#gone) this.#fail(`${words} was told that there is no record`);
      this.#requireMissing(words, answer);
      return;
    }
    if (call.tooLate) {
      const told = recordWords(record);
      this.#fail(`${words} was told ${told}, and the record was deleted before it was asked`);
    }
    this.#requireStood(words, call.epoch, record);
    if (request.kind === "read" || answer.kind === "record") return;
    if (answer.outcome.kind === "granted") this.#requireGrant(words, request, record);
    else this.#requireRefusal(words, request, record, answer.outcome.reason);
  }

  #requireMissing(words: string, answer: Answer): void {
    if (answer.kind !== "outcome" || answer.outcome.kind !== "refused") return;
    const { reason } = answer.outcome;
    if (reason === "missing record") return;
    this.#fail(`${words} was refused (${reason}) by no record; right is: refused (missing record)`);
  }

  /** `record` was the record at some moment since `askedAt` was the epoch. */
  #requireStood(words: string, askedAt: number, record: VmRecord): void {
    const told = recordWords(record);
    const known = this.#records[record.epoch];
    if (known === undefined) {
      this.#fail(`${words} was told ${told}, and durable is only epoch ${this.#epoch}`);
    } else if (!sameRecord(known, record)) {
      this.#fail(`${words} was told ${told}, and granted was ${recordWords(known)}`);
    }
    if (record.epoch < askedAt) {
      this.#fail(`${words} was told ${told}, and epoch ${askedAt} stood before it was asked`);
    }
  }

  /** At once or by repetition, `record` is what `request` makes of the record before. */
  #requireGrant(words: string, request: RunnerRequest, record: VmRecord): void {
    const result = this.#resultOf(request);
    if (result !== null && isResult(result, record)) return;
    const right = result === null ? "no record was there" : resultWords(result);
    this.#fail(`${words} was granted ${recordWords(record)}; right is: ${right}`);
  }

  #requireRefusal(
    words: string,
    request: RunnerRequest,
    record: VmRecord,
    reason: RefusalReason,
  ): void {
    const repeated = this.#resultOf(request);
    if (repeated !== null && isResult(repeated, record)) {
      this.#fail(`${words} was refused (${reason}) by its own result, ${recordWords(record)}`);
    }
    const right = specified(record, request);
    if (right === reason) return;
    this.#fail(
      `${words} was refused (${reason}) by ${recordWords(record)}; right is: ${resultWords(right)}`,
    );
  }

  /** Of the one record that has the epoch which the request expects; null: there was none. */
  #resultOf(request: RunnerRequest): VmRecord | RefusalReason | null {
    const before = this.#records[request.epoch];
    return before === undefined ? null : specified(before, request);
  }

  get #epoch(): number {
    return this.#records.length - 1;
  }

  #fail(message: string): never {
    throw failed(message);
  }
}

function failed(message: string): Violation {
  return new Violation("linearizable record", message);
}

function isResult(result: VmRecord | RefusalReason, record: VmRecord): boolean {
  return typeof result !== "string" && sameRecord(result, record);
}

function resultWords(result: VmRecord | RefusalReason): string {
  return typeof result === "string" ? `refused (${result})` : `granted ${recordWords(result)}`;
}
