/**
 * The way to a record that an arbiter serves.
 *
 * A take-over must not wait for a handshake: the connection of the last request stays open for the
 * next one. `read` at the start of a runner's life opens it.
 */
import https from "node:https";
import { isWrongKey, pskClientOptions } from "../../platform/psk.ts";
import { arbiterTimeoutMs } from "../../shared/limits.ts";
import type { RecordRequest } from "../../shared/protocol/record.ts";
import {
  type Exchange,
  type ExchangeFailure,
  exchangeJson,
  type JsonAnswer,
} from "./json-exchange.ts";
import type { ApplyAnswer, NoAnswer, ReadAnswer, RecordClient } from "./record-client.ts";
import { outcomeSchema, recordSchema } from "./record-schema.ts";

export interface ArbiterAddress {
  readonly host: string;
  readonly port: number;
  readonly vm: string;
  readonly key: Uint8Array;
  /** Bound of each request; default `arbiterTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** An answer is one record and a few words. */
const answerBytesMax = 64 * 1024;

export class ArbiterClient implements RecordClient {
  readonly #address: ArbiterAddress;
  readonly #agent: https.Agent;

  constructor(address: ArbiterAddress) {
    this.#address = address;
    this.#agent = new https.Agent({
      ...pskClientOptions(address.vm, address.key),
      keepAlive: true,
      maxFreeSockets: 1,
      maxCachedSessions: 0,
    });
  }

  async read(signal?: AbortSignal): Promise<ReadAnswer> {
    const answer = await this.#exchange({ method: "GET", path: this.#path("") }, signal);
    if (answer.kind === "no answer") return answer;
    if (isMissingRecord(answer)) return { kind: "read", record: null };
    const record = recordSchema.safeParse(answer.body);
    if (record.success && record.data.vm === this.#address.vm) {
      return { kind: "read", record: record.data };
    }
    return this.#notUnderstood(answer);
  }

  async apply(request: RecordRequest, signal?: AbortSignal): Promise<ApplyAnswer> {
    const body = JSON.stringify(request);
    const path = this.#path("/transitions");
    const answer = await this.#exchange({ method: "POST", path, body }, signal);
    if (answer.kind === "no answer") return answer;
    const outcome = outcomeSchema.safeParse(answer.body);
    return outcome.success ? outcome.data : this.#notUnderstood(answer);
  }

  close(): void {
    this.#agent.destroy();
  }

  #path(rest: string): string {
    return `/v1/records/${encodeURIComponent(this.#address.vm)}${rest}`;
  }

  #notUnderstood(answer: JsonAnswer): NoAnswer {
    return this.#noAnswer(`answered ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  #noAnswer(why: string, wrongKey = false): NoAnswer {
    return { kind: "no answer", message: `arbiter ${this.#place()} ${why}`, wrongKey };
  }

  #place(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }

  async #exchange(
    exchange: Omit<Exchange, "answerBytesMax">,
    outer: AbortSignal | undefined,
  ): Promise<JsonAnswer | NoAnswer> {
    const timeoutMs = this.#address.timeoutMs ?? arbiterTimeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = outer === undefined ? timeout : AbortSignal.any([timeout, outer]);
    try {
      const { host, port } = this.#address;
      const options = { host, port, agent: this.#agent, signal };
      return await exchangeJson(options, { ...exchange, answerBytesMax });
    } catch (error) {
      if (timeout.aborted) return this.#noAnswer(`did not answer within ${timeoutMs} ms`);
      if (outer?.aborted) return this.#noAnswer("was not waited for any longer");
      // SAFETY: `exchangeJson` rejects with nothing else.
      const failure = error as ExchangeFailure;
      if (!isWrongKey(failure)) return this.#noAnswer(`did not answer: ${failure.message}`);
      return this.#noAnswer(`has another key than ours for VM ${this.#address.vm}, or none`, true);
    }
  }
}

/** Any other 404 comes from somebody who is no arbiter, and says nothing about the record. */
function isMissingRecord({ status, body }: JsonAnswer): boolean {
  if (status !== 404 || typeof body !== "object" || body === null) return false;
  return "reason" in body && body.reason === "missing record";
}
