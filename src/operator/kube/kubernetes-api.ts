/**
 * The API server, as the operator asks it: JSON over HTTPS with the credentials of a kubeconfig or of
 * the pod. Every request has a bound, so that a connection that died silently is a failure like any
 * other. Nothing is retried here: whoever asks knows when to ask again.
 */
import https from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { errorOfStatus, KubernetesApiError, noAnswer } from "./kubernetes-api-error.ts";

/** Of an object, what every kind has. */
export interface RawObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: RawMetadata;
}

export interface RawMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Only the metadata: of one object, or of each in a list. */
export type MetadataOf = "object" | "list";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Such as /api/v1/namespaces/default/pods. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Of the body; a patch has several. */
  readonly contentType?: string;
  /** Without it whole objects, or whatever the answer is. */
  readonly only?: MetadataOf;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** A list that a watch goes on from: both take turns on one connection, and none is left behind idle. */
  readonly ofWatch?: true;
}

export interface StreamRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly only?: MetadataOf | undefined;
  /** All of it may take so long. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The server answered: lines may follow. */
  readonly onOpen: () => void;
  readonly onLine: (line: string) => void;
}

const requestTimeoutMs = 10_000;
/** Connections for requests; the watches have theirs besides. */
const socketsMax = 128;
/** An idle connection is not trusted for longer: what stood between may have forgotten it. */
const connectionIdleMs = 10_000;
/** Of an error's body; the rest is of no use to anybody. */
const errorTextMax = 64 * 1024;

const plainJson = "application/json";
const metadataJson: Readonly<Record<MetadataOf, string>> = {
  object: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
  list: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
};

export class KubernetesApi {
  readonly #config: KubeConfig;
  readonly #agent = new https.Agent({
    ...{ keepAlive: true, maxSockets: socketsMax, timeout: connectionIdleMs },
  });
  /** Without a bound: each watch holds its connection, and would keep requests waiting for one. */
  readonly #watchAgent = new https.Agent({ keepAlive: true });
  readonly #mayWrite: () => boolean;

  /** `file`: a kubeconfig; null: what the pod was given. @throws whatever a file cannot be read for */
  static open(file: string | null): KubernetesApi {
    const config = new KubeConfig();
    if (file === null) config.loadFromCluster();
    else config.loadFromFile(file);
    return new KubernetesApi(config);
  }

  private constructor(config: KubeConfig, mayWrite = () => true) {
    this.#config = config;
    this.#mayWrite = mayWrite;
  }

  /**
   * The same, but it changes nothing while `mayWrite` says no. It has connections of its own: what asks
   * through the one, such as the election, does not wait for whoever asks through the other.
   */
  gated(mayWrite: () => boolean): KubernetesApi {
    return new KubernetesApi(this.#config, mayWrite);
  }

  /** The namespace that the credentials belong to; null: they name none. */
  get namespace(): string | null {
    return this.#config.getContextObject(this.#config.getCurrentContext())?.namespace ?? null;
  }

  /**
   * The answer's JSON. Its shape is the API server's promise, so the caller names it.
   * @throws KubernetesApiError
   */
  async send<Answer>(request: ApiRequest): Promise<Answer> {
    const agent = request.ofWatch ? this.#watchAgent : this.#agent;
    const options = await this.#options(request.method, request.only, agent);
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    const { headers } = options;
    if (body !== null) {
      headers["content-type"] = request.contentType ?? plainJson;
      // Node gives the body of a DELETE no length by itself, and the next request would begin in it.
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    // Looked at as late as possible: the process may have stood still until now.
    if (request.method !== "GET" && !this.#mayWrite()) throw notLeading(request);
    const timeoutMs = request.timeoutMs ?? requestTimeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
    const what = `${request.method} ${request.path}`;
    return await new Promise((resolve, reject) => {
      // The first of several errors counts; one that nobody listens to would end the process.
      const fail = (cause: unknown) => reject(noAnswer(what, cause));
      const sent = https.request(this.#url(request), { ...options, signal }, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece)).on("error", fail);
        response.once("end", () => {
          const text = Buffer.concat(pieces).toString("utf8");
          const status = response.statusCode ?? 0;
          if (status < 200 || status > 299) return reject(errorOfStatus(what, status, text));
          try {
            resolve(JSON.parse(text));
          } catch (cause) {
            fail(cause);
          }
        });
      });
      sent.on("error", fail).end(body ?? undefined);
    });
  }

  /**
   * Lines as they come, until the server ends it or the time is over.
   * @throws KubernetesApiError, and whatever `onLine` throws: no line comes after it
   */
  async stream(request: StreamRequest): Promise<void> {
    const options = await this.#options("GET", request.only, this.#watchAgent);
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(request.timeoutMs)]);
    const what = `watch of ${request.path}`;
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: unknown) => reject(noAnswer(what, cause));
      const sent = https.request(this.#url(request), { ...options, signal }, (response) => {
        const status = response.statusCode ?? 0;
        let text = "";
        response.setEncoding("utf8").on("error", fail);
        if (status !== 200) {
          response.on("data", (more: string) => {
            if (text.length < errorTextMax) text += more;
          });
          response.once("end", () => reject(errorOfStatus(what, status, text)));
          return;
        }
        request.onOpen();
        response.on("data", (more: string) => {
          const lines = (text + more).split("\n");
          text = lines.pop() ?? "";
          try {
            for (const line of lines) if (line !== "") request.onLine(line);
          } catch (cause) {
            reject(cause);
            response.destroy();
          }
        });
        response.once("end", resolve);
      });
      sent.on("error", fail).end();
    });
  }

  #url({ path, query }: { path: string; query?: Readonly<Record<string, string>> }): string {
    const server = this.#config.getCurrentCluster()?.server ?? "";
    const search = query === undefined ? "" : `?${new URLSearchParams(query)}`;
    return `${server}${path}${search}`;
  }

  /** With the credentials as they are now: tokens are renewed. */
  async #options(
    method: string,
    only: MetadataOf | undefined,
    agent: https.Agent,
  ): Promise<https.RequestOptions & { headers: Record<string, string> }> {
    const headers: Record<string, string> = {};
    const options: https.RequestOptions = { headers };
    await this.#config.applyToHTTPSOptions(options);
    // Where the kubeconfig names a proxy, the way through it is the client's own affair.
    if (!this.#config.getCurrentCluster()?.proxyUrl) options.agent = agent;
    const accept = only === undefined ? plainJson : metadataJson[only];
    return { ...options, method, headers: { ...headers, accept } };
  }
}

function notLeading({ method, path }: ApiRequest): KubernetesApiError {
  const message = `${method} ${path} was not sent: this process does not lead any more`;
  return new KubernetesApiError("not leading", 0, message);
}
