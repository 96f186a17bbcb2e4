/** An API server that answers as a test says, and the operator's way to it. */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { test } from "@jest/globals";
import { KubernetesApi } from "../../src/operator/kube/kubernetes-api.ts";
import { isThere } from "../cluster/debian-programs.ts";
import { run } from "../cluster/run-program.ts";

/** The server has a certificate, which openssl makes. */
export const testWithTls = isThere("openssl") ? test : test.skip;

export class ScriptedApi {
  readonly api: KubernetesApi;
  /** What was asked, oldest first. */
  readonly asked: URL[] = [];
  /** Connections that were made. */
  connections = 0;
  /** A request that it does not end waits. */
  answer: (url: URL, response: ServerResponse, request: IncomingMessage) => void = () => {};
  readonly #server: https.Server;
  readonly #folder: string;

  /** It needs openssl. */
  static async start(): Promise<ScriptedApi> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "lockstep-api-"));
    const [keyFile, certFile] = [path.join(folder, "key"), path.join(folder, "certificate")];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const files = ["-keyout", keyFile, "-out", certFile];
    await run("openssl", ["req", "-x509", ...key, ...subject, ...files]);
    const cert = await readFile(certFile, "utf8");
    const server = https.createServer({ key: await readFile(keyFile, "utf8"), cert });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const file = path.join(folder, "config");
    const authority = Buffer.from(cert).toString("base64");
    const config = {
      ...{ apiVersion: "v1", kind: "Config", "current-context": "test" },
      clusters: [
        {
          name: "test",
          cluster: {
            server: `https://127.0.0.1:${port}`,
            "certificate-authority-data": authority,
          },
        },
      ],
      users: [{ name: "test", user: { token: "secret" } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    };
    await writeFile(file, JSON.stringify(config));
    return new ScriptedApi(server, folder, KubernetesApi.open(file));
  }

  private constructor(server: https.Server, folder: string, api: KubernetesApi) {
    this.#server = server;
    this.#folder = folder;
    this.api = api;
    server.on("secureConnection", () => this.connections++);
    server.on("request", (request, response) => {
      const url = new URL(request.url ?? "", "https://server");
      this.asked.push(url);
      this.answer(url, response, request);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#folder, { recursive: true });
  }
}
