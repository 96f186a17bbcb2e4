/** The arbiter as a process of its own, asked through the runner's client and by strangers. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createKeyFile } from "../../src/platform/key-file.ts";
import { pskClientOptions } from "../../src/platform/psk.ts";
import type { RecordRequest } from "../../src/shared/protocol/record.ts";
import { ArbiterClient } from "../../src/storage-arbiter/record/arbiter-client.ts";

const vm = "0b5c1fd2-9d3c-4d3e-8f44-1f6a3a8d9c11";
let folder: string;
let keyFile: string;
let key: Uint8Array;
let children: ChildProcess[];
let clients: ArbiterClient[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "arbiter-"));
  keyFile = path.join(folder, "key");
  key = createKeyFile(keyFile);
  children = [];
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  await rm(folder, { recursive: true, force: true });
});

test("a whole life of a VM is recorded, and survives SIGKILL of the arbiter", async () => {
  const first = await startArbiter();
  const client = clientOf(first.port);
  expect(await client.read()).toEqual({ kind: "read", record: null });
  const life: RecordRequest[] = [
    { kind: "create", vm },
    { kind: "start", vm, runner: "a", epoch: 0 },
    { kind: "pair", vm, runner: "a", backup: "b", epoch: 1 },
    { kind: "takeover", vm, runner: "b", epoch: 2 },
  ];
  for (const request of life)
    expect(await client.apply(request)).toMatchObject({ kind: "granted" });
  const record = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };
  expect(await client.apply({ kind: "alone", vm, runner: "a", epoch: 2 })).toEqual({
    kind: "refused",
    reason: "stale epoch",
    record,
  });
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  expect(await client.read()).toMatchObject({ kind: "no answer" });
  const second = await startArbiter();
  expect(await clientOf(second.port).read()).toEqual({ kind: "read", record });
});

test("two arbiters over one directory grant each epoch once", async () => {
  const [one, two] = await Promise.all([startArbiter(), startArbiter()]);
  const askers = [clientOf(one.port), clientOf(two.port), clientOf(one.port), clientOf(two.port)];
  await askers[0]?.apply({ kind: "create", vm });
  for (let epoch = 0; epoch < 10; epoch++) {
    const answers = await Promise.all(
      askers.map((client, i) =>
        client.apply({
          kind: "restart",
          vm,
          runner: `r${epoch}-${i}`,
          epoch,
          bothProvenGone: true,
        }),
      ),
    );
    expect(answers.map(({ kind }) => kind).sort()).toEqual([
      "granted",
      ...Array(3).fill("refused"),
    ]);
  }
});

test("what is not a proper request gets a precise answer and changes nothing", async () => {
  const { port } = await startArbiter();
  const client = clientOf(port);
  await client.apply({ kind: "create", vm });
  const before = await client.read();
  const start = { kind: "start", vm, runner: "a", epoch: 0 };
  const own = `/v1/records/${vm}`;
  const bad: [string, string, unknown, number, RegExp][] = [
    ["POST", `${own}/transitions`, "{", 400, /JSON/],
    ["POST", `${own}/transitions`, "null", 400, /JSON/],
    ["POST", `${own}/transitions`, {}, 400, /no request/],
    ["POST", `${own}/transitions`, { ...start, epoch: 1 }, 400, /epoch/],
    ["POST", `${own}/transitions`, { ...start, more: 1 }, 400, /more/],
    ["POST", `${own}/transitions`, { ...start, runner: "a b" }, 400, /runner/],
    ["POST", `${own}/transitions`, { ...start, vm: "other" }, 400, /about VM other/],
    ["POST", `${own}/transitions`, { ...start, runner: "a".repeat(5000) }, 413, /too large/],
    ["POST", `${own}/transitions`, { kind: "alone", vm, runner: "a", epoch: 0 }, 403, /primary/],
    ["POST", `${own}/transitions`, { kind: "alone", vm, runner: "a", epoch: 7 }, 409, /unknown/],
    ["POST", "/v1/records/other/transitions", { ...start, vm: "other" }, 403, /belongs to VM/],
    ["GET", "/v1/records/other", "", 403, /belongs to VM/],
    ["GET", "/v1/records/..%2f..%2fetc", "", 403, /belongs to VM/],
    ["DELETE", own, "", 404, /no such address/],
  ];
  for (const [method, where, body, status, message] of bad) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await ask(port, method, where, text);
    expect({ where, text, ...answer }).toMatchObject({ status, text: expect.anything() });
    expect(answer.body).toMatch(message);
    expect(await client.read()).toEqual(before);
  }
  expect(await ask(port, "GET", "/healthz", "")).toEqual({ status: 200, body: '{"ok":true}' });
});

test("a wrong key and an unknown identity are refused, and the client says so", async () => {
  const { port } = await startArbiter();
  for (const stranger of [clientOf(port, vm, randomBytes(32)), clientOf(port, "another-vm")]) {
    const answer = await stranger.read();
    expect(answer).toMatchObject({
      message: expect.stringContaining("has another key than ours"),
      wrongKey: true,
    });
  }
});

test("a corrupt record gives no answer, and the answer names the file", async () => {
  const { port } = await startArbiter();
  const client = clientOf(port);
  await client.apply({ kind: "create", vm });
  await writeFile(path.join(folder, vm, "record.1"), "{}");
  for (const answer of [
    await client.read(),
    await client.apply({ kind: "start", vm, runner: "a", epoch: 0 }),
  ]) {
    expect(answer).toMatchObject({
      kind: "no answer",
      message: expect.stringMatching(/503.*record\.1 is not the record/),
    });
  }
});

test("an arbiter that is silent is given up after the time-out, or when the caller says so", async () => {
  const silent = net.createServer(() => {});
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const client = new ArbiterClient({ host: "127.0.0.1", port, vm, key, timeoutMs: 100 });
  clients.push(client);
  expect(await client.read()).toEqual({
    kind: "no answer",
    message: `arbiter 127.0.0.1:${port} did not answer within 100 ms`,
    wrongKey: false,
  });
  expect(await client.read(AbortSignal.abort())).toMatchObject({
    message: expect.stringContaining("was not waited for any longer"),
  });
  silent.close();
});

test("one connection serves request after request", async () => {
  const { port } = await startArbiter();
  const client = clientOf(port);
  await client.apply({ kind: "create", vm });
  const connections = new Set<number>();
  for (let i = 0; i < 20; i++) {
    await client.read();
    connections.add(await connectionsTo(port));
  }
  expect([...connections]).toEqual([1]);
});

test("SIGTERM ends it cleanly, also while a runner's connection is open", async () => {
  const { port, child } = await startArbiter();
  await clientOf(port).read();
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("--exit-with-parent ends it when its parent is gone, and Ctrl-C is the parent's", async () => {
  const flags = { listen: "127.0.0.1:0", data: folder, vm };
  const child = spawnArbiter(flags, "--exit-with-parent");
  const port = await readyPort(child);
  child.kill("SIGINT");
  expect(await clientOf(port).read()).toMatchObject({ kind: "read" });
  child.stdin?.end();
  expect(await once(child, "exit")).toEqual([0, null]);
});

test.each([
  ["a port in use", 5, /cannot listen on .*EADDRINUSE.*choose another port/],
  ["a key others can read", 2, /has mode 0644.*chmod 0600/],
  ["a directory that is not there", 2, /cannot keep records in .*make the directory first/],
  ["an address without a port", 2, /expected host:port/],
  ["a VM id with a slash", 2, /expected 1 to 64 letters/],
])("%s gives one sentence and its exit code", async (what, code, message) => {
  const flags = { listen: "127.0.0.1:0", data: folder, vm };
  if (what === "a port in use") flags.listen = `127.0.0.1:${(await startArbiter()).port}`;
  if (what === "a key others can read") await chmod(keyFile, 0o644);
  if (what === "a directory that is not there") flags.data = path.join(folder, "gone");
  if (what === "an address without a port") flags.listen = "127.0.0.1";
  if (what === "a VM id with a slash") flags.vm = "a/b";
  const child = spawnArbiter(flags);
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  const [exitCode] = await once(child, "close");
  expect({ exitCode, errors }).toEqual({ exitCode: code, errors: expect.stringMatching(message) });
  expect(errors.trim().split("\n")).toHaveLength(1);
});

interface Flags {
  readonly listen: string;
  readonly data: string;
  readonly vm: string;
}

function spawnArbiter({ listen, data, vm }: Flags, ...more: string[]): ChildProcess {
  const command = new URL("../../src/cli/arbiter.ts", import.meta.url).href;
  const script = `
    const { arbiterCommand } = await import(${JSON.stringify(command)});
    await arbiterCommand().exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 2))
      .parseAsync(process.argv.slice(1), { from: "user" });`;
  const flags = ["--listen", listen, "--data", data, "--key", keyFile, "--vm", vm, ...more];
  const node = ["--no-warnings", "--input-type=module", "-e", script, "--", ...flags];
  const child = spawn(process.execPath, node, {
    stdio: "pipe",
    env: { ...process.env, LOCKSTEP_LOG_LEVEL: "silent" },
  });
  children.push(child);
  return child;
}

async function startArbiter(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawnArbiter({ listen: "127.0.0.1:0", data: folder, vm });
  child.stderr?.pipe(process.stderr);
  return { child, port: await readyPort(child) };
}

async function readyPort(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error("no standard output");
  for await (const line of createInterface(child.stdout)) {
    const { ready, port } = JSON.parse(line);
    expect(ready).toBe(true);
    return port;
  }
  throw new Error("the arbiter ended before it was ready");
}

function clientOf(port: number, identity = vm, psk = key): ArbiterClient {
  // Tests share a busy machine: only the time-out's own test wants a short one.
  const client = new ArbiterClient({
    host: "127.0.0.1",
    port,
    vm: identity,
    key: psk,
    timeoutMs: 20_000,
  });
  clients.push(client);
  return client;
}

function ask(port: number, method: string, where: string, text: string) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const request = https.request(
      {
        ...pskClientOptions(vm, key),
        agent: false,
        host: "127.0.0.1",
        port,
        method,
        path: where,
        headers: text === "" ? {} : { "content-type": "application/json" },
      },
      async (response) => {
        let body = "";
        for await (const chunk of response) body += chunk;
        resolve({ status: response.statusCode, body });
      },
    );
    request.on("error", reject);
    request.end(text);
  });
}

/** How many connections to the port are established, as the kernel counts them. */
async function connectionsTo(port: number): Promise<number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] === local && fields[3] === "01").length;
}
