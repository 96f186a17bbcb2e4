/** A connection that breaks is an error for whoever reads it, and never the end of the process. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import https from "node:https";
import { Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isThere } from "../debian-programs.ts";
import { run } from "../run-program.ts";
import { ApiClient } from "./api-client.ts";

const testWithTls = isThere("openssl") ? test : test.skip;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "api-client-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

testWithTls(
  "a watch whose connection is reset in its midst gives what came, and then fails",
  async () => {
    const { key, certificate } = await selfSigned();
    const server = https.createServer({ key, cert: certificate }, (request, response) => {
      if (request.url === "/fine") return void response.end('{"is":"fine"}');
      response.write("one\ntwo\nhal", () => setTimeout(() => reset(), 200));
    });
    let reset = () => {};
    server.once("connection", (socket) => {
      // The one below TLS.
      if (socket instanceof Socket) reset = () => socket.resetAndDestroy();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const address = server.address();
      const port = typeof address === "object" ? address?.port : undefined;
      const url = `https://127.0.0.1:${port}`;
      const client = new ApiClient({ url, ca: certificate, certificate, key });
      const lines: string[] = [];
      const watch = async () => {
        for await (const line of client.lines("/watch", new AbortController().signal)) {
          lines.push(line);
        }
      };
      await expect(watch()).rejects.toMatchObject({ code: "ECONNRESET" });
      expect(lines).toEqual(["one", "two"]);
      expect(await client.get("/fine")).toEqual({ is: "fine" });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);

async function selfSigned() {
  const [keyFile, file] = [path.join(folder, "key"), path.join(folder, "certificate")];
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    keyFile,
  ];
  const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", ...key, ...subject, "-days", "2", "-out", file]);
  return { key: await readFile(keyFile, "utf8"), certificate: await readFile(file, "utf8") };
}
