/**
 * The way of a runner, a gateway or a command to the record that an arbiter serves. A record that
 * cannot be reached is an expected answer here ("hold the outputs and wait; never guess"), so
 * nothing is thrown for it.
 *
 * A take-over must not wait for a handshake: the connection of the last request stays open for the
 * next one. `read` at the start of a runner's life opens it.
 */
import https from "node:https";
import { isWrongKey, pskClientOptions } from "../../platform/psk.ts";
import { arbiterTimeoutMs } from "../../shared/limits.ts";
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { outcomeSchema, recordSchema } from "./record-schema.ts";

/** Nothing is known of the request's fate: it may have been granted, or may be yet. */
export interface NoAnswer {
  readonly kind: "no answer";
  /** One sentence that says why. */
  readonly message: string;
  /** The arbiter has another key for this VM, or none: asked again, it would say the same. */
  readonly wrongKey: boolean;
}

/** `record` null: there is none. */
export type ReadAnswer = { readonly kind: "read"; readonly record: VmRecord | null } | NoAnswer;
export type ApplyAnswer = RecordOutcome | NoAnswer;

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

export class ArbiterClient {
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

  /** The record as it is now. `signal` gives up early. */
  async read(signal?: AbortSignal): Promise<ReadAnswer> {
    const answer = await this.#exchange({ method: "GET", path: this.#path(""), signal });
    if (answer.kind === "no answer") return answer;
    if (isMissingRecord(answer)) return { kind: "read", record: null };
    const record = recordSchema.safeParse(answer.body);
    if (record.success && record.data.vm === this.#address.vm) {
      return { kind: "read", record: record.data };
    }
    return this.#notUnderstood(answer);
  }

  /** Asks for a transition of this VM's record. `signal` gives up early. */
  async apply(request: RecordRequest, signal?: AbortSignal): Promise<ApplyAnswer> {
    const body = JSON.stringify(request);
    const path = this.#path("/transitions");
    const answer = await this.#exchange({ method: "POST", path, body, signal });
    if (answer.kind === "no answer") return answer;
    const outcome = outcomeSchema.safeParse(answer.body);
    return outcome.success ? outcome.data : this.#notUnderstood(answer);
  }

  /** Closes the connection; requests under way get no answer. */
  close(): void {
    this.#agent.destroy();
  }

  #path(rest: string): string {
    return `/v1/records/${encodeURIComponent(this.#address.vm)}${rest}`;
  }

  #notUnderstood(answer: HttpAnswer): NoAnswer {
    return this.#noAnswer(`answered ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  #noAnswer(why: string, wrongKey = false): NoAnswer {
    return { kind: "no answer", message: `arbiter ${this.#place()} ${why}`, wrongKey };
  }

  #place(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }

  async #exchange(exchange: Exchange): Promise<HttpAnswer | NoAnswer> {
    const timeoutMs = this.#address.timeoutMs ?? arbiterTimeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const { signal: outer } = exchange;
    const signal = outer === undefined ? timeout : AbortSignal.any([timeout, outer]);
    try {
      const { host, port } = this.#address;
      return await send({ host, port, agent: this.#agent, signal }, exchange);
    } catch (error) {
      if (timeout.aborted) return this.#noAnswer(`did not answer within ${timeoutMs} ms`);
      if (outer?.aborted) return this.#noAnswer("was not waited for any longer");
      // SAFETY: `send` rejects with the errors of Node's sockets and of JSON alone.
      const failure = error as Error & { code?: unknown };
      if (!isWrongKey(failure)) return this.#noAnswer(`did not answer: ${failure.message}`);
      return this.#noAnswer(`has another key than ours for VM ${this.#address.vm}, or none`, true);
    }
  }
}

interface Exchange {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  readonly signal: AbortSignal | undefined;
}

interface HttpAnswer {
  readonly kind: "answer";
  readonly status: number;
  readonly body: unknown;
}

/** Any other 404 comes from somebody who is no arbiter, and says nothing about the record. */
function isMissingRecord({ status, body }: HttpAnswer): boolean {
  if (status !== 404 || typeof body !== "object" || body === null) return false;
  return "reason" in body && body.reason === "missing record";
}

/** One HTTP exchange; rejects when the connection fails or the answer is not JSON. */
function send(options: https.RequestOptions, exchange: Exchange): Promise<HttpAnswer> {
  const { method, path, body } = exchange;
  const headers =
    body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = https.request({ ...options, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", reject);
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > answerBytesMax) request.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => {
        try {
          resolve({ kind: "answer", status: response.statusCode ?? 0, body: JSON.parse(text) });
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
