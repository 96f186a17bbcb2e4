/** The Kubernetes API as plain HTTPS: what the server answers, with its status, to the byte. */
import { readFile } from "node:fs/promises";
import https from "node:https";
import path from "node:path";
import type { Layout } from "../cluster/layout.ts";

export interface Credentials {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
}

/** An object of the API, or a Status, or a list, as far as tests look into it. */
export interface ApiObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly uid: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: ApiObject;
  /** Of a Status: the sentence. */
  readonly message: string;
  readonly warnings: string;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: ApiObject;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

const timeoutMs = 30_000;

export async function administrator(layout: Layout): Promise<Credentials> {
  const read = (file: string) => readFile(path.join(layout.pki, file));
  return { ca: await read("ca.crt"), cert: await read("admin.crt"), key: await read("admin.key") };
}

export class ApiClient {
  readonly #url: string;
  readonly #options: https.RequestOptions;

  constructor(url: string, { token, ...tls }: Credentials) {
    this.#url = url;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#options = { ...tls, agent: false, timeout: timeoutMs, headers };
  }

  get(at: string): Promise<Answer> {
    return this.send("GET", at);
  }

  create(at: string, object: object): Promise<Answer> {
    return this.send("POST", at, object);
  }

  replace(at: string, object: object): Promise<Answer> {
    return this.send("PUT", at, object);
  }

  merge(at: string, patch: object): Promise<Answer> {
    return this.send("PATCH", at, patch, "application/merge-patch+json");
  }

  /** Server-side apply: these fields are the manager's. */
  applyAs(manager: string, at: string, object: object, query = ""): Promise<Answer> {
    const where = `${at}?fieldManager=${manager}${query}`;
    return this.send("PATCH", where, object, "application/apply-patch+yaml");
  }

  delete(at: string): Promise<Answer> {
    return this.send("DELETE", at);
  }

  async send(
    method: Method,
    at: string,
    object?: object,
    type = "application/json",
  ): Promise<Answer> {
    const body = object === undefined ? "" : JSON.stringify(object);
    const headers = { ...this.#options.headers, "content-type": type };
    return await new Promise((resolve, reject) => {
      const options = { ...this.#options, method, headers };
      const request = https.request(`${this.#url}${at}`, options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (more: string) => {
          text += more;
        });
        response.once("end", () => {
          const answer = text.startsWith("{")
            ? JSON.parse(text)
            : { kind: "Status", message: text };
          const warnings = String(response.headers["warning"] ?? "").replaceAll("\\", "");
          const message = answer.kind === "Status" ? String(answer.message ?? "") : "";
          resolve({ status: response.statusCode ?? 0, body: answer, message, warnings });
        });
        response.once("error", reject);
      });
      request.once("timeout", () => request.destroy(new Error(`${method} ${at} took too long`)));
      request.once("error", reject);
      request.end(body);
    });
  }

  /** The events of a watch, until `isEnough` says so. */
  async watch(at: string, isEnough: (events: readonly WatchEvent[]) => boolean) {
    return await new Promise<WatchEvent[]>((resolve, reject) => {
      const events: WatchEvent[] = [];
      const request = https.get(`${this.#url}${at}`, this.#options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (more: string) => {
          text += more;
          const lines = text.split("\n");
          text = lines.pop() ?? "";
          events.push(...lines.map((line): WatchEvent => JSON.parse(line)));
          if (!isEnough(events)) return;
          resolve(events);
          request.destroy();
        });
        response.once("end", () => resolve(events));
      });
      request.once("timeout", () => request.destroy(new Error(`${at} is silent`)));
      request.once("error", reject);
    });
  }
}
