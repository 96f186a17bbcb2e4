/**
 * Clients of the default guest's counter (port 7000): one connection over all that happens, on which
 * every number comes once and in order, or the client says what was wrong. One is in this process, on the
 * way of a NodePort; one is in a pod, on the way of the Service.
 */
import net from "node:net";
import { until } from "../../bench/waiting.ts";
import { CounterCheck, type CounterFault } from "../../src/cli/demo/counter-check.ts";
import { pod } from "../e2e/objects.ts";
import { imageRepository, type LockstepCluster, patienceMs } from "./lockstep-cluster.ts";

const connectTimeoutMs = 2_000;
/** So many more numbers mean that it flows: half a second of the guest's time. */
const flowNumbers = 50;

export class CountingClient {
  readonly counter = new CounterCheck({ word: "counter", numbersOnly: true });
  readonly #socket: net.Socket;
  #end: string | null = null;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const decoder = new TextDecoder();
    socket.on("data", (bytes) => {
      this.counter.push(decoder.decode(bytes, { stream: true }), performance.now());
    });
    socket.on("error", (error) => {
      this.#end ??= error.message;
    });
    socket.on("close", () => {
      this.#end ??= "closed by the other end";
    });
  }

  /** Tries until a connection gives numbers. */
  static async connect(host: string, port: number): Promise<CountingClient> {
    return await until(
      `numbers from ${host}:${port}`,
      async () => {
        const socket = await connected(host, port);
        if (socket === null) return null;
        const client = new CountingClient(socket);
        const begun = () => (client.counter.count >= flowNumbers || client.ended ? true : null);
        await until("", begun, { timeoutMs: 5_000 }).catch(() => {});
        if (client.counter.count >= flowNumbers && !client.ended) return client;
        client.close();
        return null;
      },
      { everyMs: 200, timeoutMs: patienceMs },
    );
  }

  get ended(): boolean {
    return this.#end !== null;
  }

  /** What speaks against one connection, on which each number came once and in order; none: []. */
  get problems(): readonly (CounterFault | string)[] {
    return [...this.counter.faults, ...(this.#end === null ? [] : [this.#end])];
  }

  /** Resolves when numbers go on coming, or the connection has ended. */
  async flows(numbers = flowNumbers): Promise<void> {
    const before = this.counter.count;
    const more = () => (this.ended || this.counter.count >= before + numbers ? true : null);
    await until("numbers to go on", more, { timeoutMs: patienceMs });
  }

  /** The longest silence since then (`performance.now()`), in milliseconds. */
  gapSince(fromMs: number): number {
    return Math.round(this.counter.longestGapMs(fromMs));
  }

  close(): void {
    this.#socket.removeAllListeners("close").destroy();
  }
}

async function connected(host: string, port: number): Promise<net.Socket | null> {
  return await new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const fail = () => {
      socket.destroy();
      resolve(null);
    };
    socket.setTimeout(connectTimeoutMs, fail);
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** What the client in the pod says, again and again, in a line. */
export interface PodClientReport {
  readonly count: number;
  readonly longestGapMs: number;
  readonly problems: readonly unknown[];
}

/** Runs in the pod, with Lockstep's own image, which has the judge of numbers in it. */
const podScript = `
import net from "node:net";
import { CounterCheck } from "/app/dist/cli/demo/counter-check.js";
const counter = new CounterCheck({ word: "counter", numbersOnly: true });
const [host, port] = process.argv.slice(1);
const problems = [];
const socket = net.connect({ host, port: Number(port) });
socket.setEncoding("utf8").on("data", (text) => counter.push(text, performance.now()));
socket.on("error", (error) => problems.push(error.message));
socket.on("close", () => problems.push("closed"));
setInterval(() => {
  const longestGapMs = Math.round(counter.longestGapMs(0));
  const report = { count: counter.count, longestGapMs, problems: [...problems, ...counter.faults] };
  process.stdout.write(JSON.stringify(report) + "\\n");
}, 100);
`;

/** A client in a pod of its own on `node`, that reaches the machine by its Service's name. */
export class PodClient {
  readonly name: string;
  readonly #lockstep: LockstepCluster;

  private constructor(lockstep: LockstepCluster, name: string) {
    this.#lockstep = lockstep;
    this.name = name;
  }

  static async start(
    lockstep: LockstepCluster,
    { name, node, service }: { name: string; node: string; service: string },
  ): Promise<PodClient> {
    const args = ["--input-type=module", "-e", podScript, service, "7000"];
    const container = { image: `${imageRepository}:1`, command: ["node", ...args] };
    await lockstep.kubectl.apply([pod(name, "", { spec: { nodeName: node }, container })]);
    const client = new PodClient(lockstep, name);
    await client.flows();
    return client;
  }

  async report(): Promise<PodClientReport> {
    const { stdout } = await this.#lockstep.kubectl.attempt(["logs", this.name, "--tail=1"]);
    const line = stdout.trim();
    return line.startsWith("{") ? JSON.parse(line) : { count: 0, longestGapMs: 0, problems: [] };
  }

  /** Resolves with its report when numbers go on coming, or something was wrong. */
  async flows(): Promise<PodClientReport> {
    const before = (await this.report()).count;
    return await until(
      `numbers in ${this.name}`,
      async () => {
        const now = await this.report();
        return now.problems.length > 0 || now.count >= before + flowNumbers ? now : null;
      },
      { everyMs: 300, timeoutMs: patienceMs },
    );
  }

  async remove(): Promise<void> {
    await this.#lockstep.kubectl.run(["delete", "pod", this.name, "--now", "--wait=false"]);
  }
}
