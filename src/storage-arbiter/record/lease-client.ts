/**
 * The record as a Lease that every runner reads and changes by itself: no other process stands on the
 * path of a failover but the API server.
 *
 * ```mermaid
 * sequenceDiagram
 *   participant runner
 *   participant API server
 *   runner->>API server: GET (a quorum read)
 *   API server-->>runner: version 7, record of epoch 3
 *   Note over runner: lease-change.ts decides
 *   runner->>API server: PUT version 7, record of epoch 4
 *   API server-->>runner: 200: granted; or 409: somebody else wrote
 *   Note over runner: after 409 from the top
 * ```
 *
 * A Lease seen earlier saves the GET, when the request can be granted on it: the API server refuses
 * the write if it has changed. It never saves one before a refusal: only what was read for
 * this request refuses.
 */
import https from "node:https";
import { microTime } from "../../platform/micro-time.ts";
import { arbiterTimeoutMs } from "../../shared/limits.ts";
import type { Nonce, RecordRequest } from "../../shared/protocol/record.ts";
import type { ApiServer } from "./in-cluster.ts";
import {
  type Exchange,
  type ExchangeFailure,
  exchangeJson,
  type JsonAnswer,
} from "./json-exchange.ts";
import { type AddressOf, addressesOf, type Lease } from "./kube-lease.ts";
import { leaseChange, recordOf } from "./lease-change.ts";
import type { LeaseName } from "./lease-name.ts";
import { leaseSchema, saysNoLease, statusSchema } from "./lease-schema.ts";
import type { ApplyAnswer, NoAnswer, ReadAnswer, RecordClient } from "./record-client.ts";

export interface LeaseClientOptions {
  readonly server: ApiServer;
  readonly lease: LeaseName;
  /** A Lease of another VM is not this VM's record. */
  readonly vm: string;
  /** What is written of where runners are. */
  readonly addressOf: AddressOf;
  /** What a Lease that was read or written says of where runners are. */
  readonly onAddresses: (addresses: ReadonlyMap<Nonce, string>) => void;
  /** For the Lease's renewTime, which people read. */
  readonly now: () => Date;
  /** Bound of a reading and of a change as a whole; default `arbiterTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** Writes of others in a row after which the fate of a request is left open. */
const attemptsMax = 8;
/** A Lease and its managed fields; the API server keeps no object above 1.5 MiB. */
const answerBytesMax = 2 * 1024 * 1024;
/**
 * An idle connection is not trusted for longer: what stood between may have forgotten it, and a
 * request on it would be lost without a word. A new one costs some milliseconds.
 */
const connectionIdleMs = 10_000;

export class LeaseClient implements RecordClient {
  readonly #options: LeaseClientOptions;
  readonly #timeoutMs: number;
  readonly #agent = new https.Agent({
    keepAlive: true,
    maxFreeSockets: 1,
    timeout: connectionIdleMs,
  });
  /** The newest that was seen. */
  #seen: Lease | null = null;

  constructor(options: LeaseClientOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? arbiterTimeoutMs;
  }

  async read(outer?: AbortSignal): Promise<ReadAnswer> {
    return await this.#bounded(outer, async (signal) => {
      const found = await this.#get(signal);
      if (found.kind === "no answer") return found;
      if (found.kind === "missing") return { kind: "read", record: null };
      const is = recordOf(found.lease, this.#options.vm);
      if (is.kind === "unusable") return noAnswer(is.message);
      return { kind: "read", record: is.record };
    });
  }

  async apply(request: RecordRequest, outer?: AbortSignal): Promise<ApplyAnswer> {
    return await this.#bounded(outer, async (signal) => {
      let answer = await this.#applyUnread(request, signal);
      for (let left = attemptsMax; answer === null && left > 0; left--) {
        answer = await this.#applyRead(request, signal);
      }
      const busy = `was asked ${attemptsMax} times, and others wrote the Lease each time`;
      return answer ?? this.#noAnswer(busy);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Tries the request on the Lease as it was seen last; null: it has to be read first. */
  async #applyUnread(request: RecordRequest, signal: AbortSignal): Promise<ApplyAnswer | null> {
    if (this.#seen === null) return null;
    const change = this.#decide(this.#seen, request);
    if (change.kind !== "write") return null;
    const written = await this.#put(change.lease, signal);
    if (written.kind === "written") return change.outcome;
    // Whatever else was answered, what is read now says more.
    return signal.aborted && written.kind === "no answer" ? written : null;
  }

  /** Reads the Lease and tries the request on it; null: somebody else wrote it in between. */
  async #applyRead(request: RecordRequest, signal: AbortSignal): Promise<ApplyAnswer | null> {
    const found = await this.#get(signal);
    if (found.kind === "no answer") return found;
    if (found.kind === "missing") {
      return { kind: "refused", reason: "missing record", record: null };
    }
    const change = this.#decide(found.lease, request);
    if (change.kind === "unusable") return noAnswer(change.message);
    if (change.kind === "settled") return change.outcome;
    const written = await this.#put(change.lease, signal);
    if (written.kind === "no answer") return written;
    return written.kind === "written" ? change.outcome : null;
  }

  #decide(lease: Lease, request: RecordRequest) {
    const { addressOf, now } = this.#options;
    return leaseChange(lease, request, addressOf, microTime(now()));
  }

  async #get(signal: AbortSignal): Promise<Found | NoAnswer> {
    const answer = await this.#ask({ method: "GET" }, signal);
    if (answer.kind === "no answer") return answer;
    if (saysNoLease(answer.status, answer.body, this.#options.lease.name)) {
      this.#seen = null;
      return { kind: "missing" };
    }
    const lease = answer.status === 200 ? this.#note(answer.body) : null;
    return lease === null ? this.#notUnderstood("get", answer) : { kind: "found", lease };
  }

  async #put(lease: Lease, signal: AbortSignal): Promise<Written | NoAnswer> {
    const answer = await this.#ask({ method: "PUT", body: JSON.stringify(lease) }, signal);
    if (answer.kind === "no answer") return answer;
    this.#seen = null;
    if (answer.status === 409) return { kind: "conflict" };
    if (answer.status !== 200) return this.#notUnderstood("update", answer);
    this.#note(answer.body);
    return { kind: "written" };
  }

  /** Null: it is no Lease. */
  #note(body: unknown): Lease | null {
    const { data: lease } = leaseSchema.safeParse(body);
    if (lease === undefined) return null;
    this.#seen = lease;
    if (recordOf(lease, this.#options.vm).kind === "record") {
      this.#options.onAddresses(addressesOf(lease));
    }
    return lease;
  }

  /** One request; with a token that has just been replaced, or a connection just closed, two. */
  async #ask(what: Ask, signal: AbortSignal): Promise<JsonAnswer | NoAnswer> {
    const first = await this.#exchange(what, signal);
    const again = first.kind === "failed" ? first.reused : first.status === 401;
    const answer = again && !signal.aborted ? await this.#exchange(what, signal) : first;
    if (answer.kind === "answer") return answer;
    return this.#noAnswer(`did not answer: ${answer.message}`);
  }

  async #exchange(what: Ask, signal: AbortSignal): Promise<JsonAnswer | Failed> {
    const { server, lease } = this.#options;
    const { namespace, name } = lease;
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    try {
      const { ca, token } = server.credentials();
      const { host, port } = server;
      const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
      const options = { host, port, ca, agent: this.#agent, signal };
      return await exchangeJson(options, { ...what, path, headers, answerBytesMax });
    } catch (error) {
      // SAFETY: `exchangeJson` and the reading of files reject with nothing else.
      const { message, reused = false } = error as ExchangeFailure;
      return { kind: "failed", message, reused };
    }
  }

  /** All that belongs to one call has one bound. */
  async #bounded<T>(
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T | NoAnswer>,
  ): Promise<T | NoAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const answer = await work(outer === undefined ? timeout : AbortSignal.any([timeout, outer]));
    if (!isNoAnswer(answer)) return answer;
    if (timeout.aborted) return this.#noAnswer(`did not answer within ${this.#timeoutMs} ms`);
    if (outer?.aborted) return this.#noAnswer("was not waited for any longer");
    return answer;
  }

  #notUnderstood(verb: "get" | "update", { status, body }: JsonAnswer): NoAnswer {
    const { namespace, name } = this.#options.lease;
    const said = statusSchema.safeParse(body).data?.message ?? JSON.stringify(body).slice(0, 200);
    if (status === 403) {
      return this.#noAnswer(
        `does not let this pod ${verb} Lease ${namespace}/${name}: a role of its service account ` +
          `must allow it (${said})`,
      );
    }
    if (status === 401) return this.#noAnswer(`does not take the token of this pod (${said})`);
    return this.#noAnswer(`answered ${status} to ${verb} Lease ${namespace}/${name}: ${said}`);
  }

  #noAnswer(why: string): NoAnswer {
    const { host, port } = this.#options.server;
    return noAnswer(`API server ${host}:${port} ${why}`);
  }
}

type Ask = Pick<Exchange, "method" | "body">;
type Found = { readonly kind: "found"; readonly lease: Lease } | { readonly kind: "missing" };
type Written = { readonly kind: "written" | "conflict" };
interface Failed {
  readonly kind: "failed";
  readonly message: string;
  readonly reused: boolean;
}

/** No key is involved, so none can be wrong. */
function noAnswer(message: string): NoAnswer {
  return { kind: "no answer", message, wrongKey: false };
}

function isNoAnswer(answer: unknown): answer is NoAnswer {
  return (
    typeof answer === "object" && answer !== null && "kind" in answer && answer.kind === "no answer"
  );
}
