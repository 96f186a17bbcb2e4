/**
 * Throughput of a guest, as its client sees it. TCP: so many bytes that they take about
 * `targetSeconds`, to or from a program in the guest that does nothing else; what counts is when the
 * last byte has arrived at the other end, by the client's clock. UDP: iperf3 on both sides, at several
 * speeds.
 */
import { execFile } from "node:child_process";
import type net from "node:net";
import { z } from "zod";
import { networkMtu } from "../../src/shared/limits.ts";
import type { GuestShell } from "../guest-shell.ts";
import { until } from "../waiting.ts";
import { connect, drained, nextBytes } from "./client.ts";

export const guestPorts = { echo: 7, counter: 7000, sink: 5001, source: 5002, iperf: 5201 };

/** Of one measurement. */
export interface Transferred {
  readonly mbit: number;
  readonly bytes: number;
}

const blockBytes = 64 * 1024;
const targetSeconds = 2;
const firstBlocks = 40;
const blocksMax = 4_000;
/** IPv4's and UDP's headers. */
const datagramBytes = networkMtu - 28;
const offeredMbit = [100, 200, 400];
const iperfTimeoutMs = 10_000;

/** The guest's programs for it; the first line that a client sends is the number of blocks. */
export async function startServers(shell: GuestShell): Promise<void> {
  const serve = (port: number, program: string) =>
    `nc -ll -p ${port} -e sh -c 'read n; ${program}' &`;
  const { sink, source } = guestPorts;
  const read = `dd bs=${blockBytes} iflag=fullblock of=/dev/null count=$n 2>/dev/null; echo done`;
  const write = `dd bs=${blockBytes} if=/dev/zero count=$n 2>/dev/null`;
  await shell.run(`${serve(sink, read)} ${serve(source, write)} :`);
  const listening = Object.values(guestPorts).map((port) => `grep -q :${hex(port)}`);
  const sockets = "cat /proc/net/tcp*";
  for (const each of listening) await shell.run(`until ${sockets} | ${each}; do sleep 0.1; done`);
}

/** As the kernel prints a port. */
function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** Measures again and again, each time with about as much as fits into the time. */
export class TcpThroughput {
  readonly #port: number;
  readonly #transfer: (socket: net.Socket, blocks: number) => Promise<void>;
  #blocks = firstBlocks;

  constructor(direction: "to guest" | "from guest", port: number) {
    this.#port = port;
    this.#transfer = direction === "to guest" ? fill : drink;
  }

  async measure(): Promise<Transferred> {
    const bytes = this.#blocks * blockBytes;
    const socket = await connect(this.#port);
    const beganMs = performance.now();
    await this.#transfer(socket, this.#blocks);
    const seconds = (performance.now() - beganMs) / 1_000;
    socket.destroy();
    this.#blocks = Math.ceil((this.#blocks * targetSeconds) / seconds);
    this.#blocks = Math.min(blocksMax, Math.max(firstBlocks / 4, this.#blocks));
    return { mbit: (bytes * 8) / seconds / 1e6, bytes };
  }
}

/** Ends when the guest's program has said that it has read everything. */
async function fill(socket: net.Socket, blocks: number): Promise<void> {
  const block = Buffer.alloc(blockBytes, "lockstep ");
  socket.write(`${blocks}\n`);
  for (let i = 0; i < blocks; i++) {
    if (!socket.write(block)) await drained(socket);
  }
  await nextBytes(socket);
}

async function drink(socket: net.Socket, blocks: number): Promise<void> {
  socket.write(`${blocks}\n`);
  for (let left = blocks * blockBytes; left > 0; ) left -= (await nextBytes(socket)).length;
}

/** The most that arrived at any of the speeds offered (Mbit/s). */
export async function udpThroughput(port: number): Promise<number> {
  let best = 0;
  for (const mbit of offeredMbit) best = Math.max(best, await offer(port, mbit));
  return best;
}

/** Received, as the guest counts and this computer's clock says. */
async function offer(port: number, mbit: number): Promise<number> {
  const args = [
    ...["--client", "127.0.0.1", "--port", String(port), "--udp", "--json", "--time", "1"],
    ...["--bitrate", `${mbit}M`, "--length", String(datagramBytes)],
  ];
  const {
    seconds,
    packets,
    lost_packets: lost,
  } = await until("iperf3 is served by the guest", () => iperf(args), { everyMs: 500 });
  return ((packets - lost) * datagramBytes * 8) / seconds / 1e6;
}

/** Null: its server is not done with the client before, or the datagrams of the greeting are lost. */
async function iperf(args: readonly string[]): Promise<IperfSum | null> {
  const text = await new Promise<string>((resolve, reject) => {
    execFile("iperf3", args, { timeout: iperfTimeoutMs }, (error, stdout) => {
      if (error?.code === "ENOENT") reject(new Error("there is no iperf3; apt-get install iperf3"));
      else resolve(stdout);
    });
  });
  if (!text.startsWith("{")) return null;
  return iperfSchema.safeParse(JSON.parse(text)).data?.end.sum ?? null;
}

type IperfSum = z.infer<typeof iperfSchema>["end"]["sum"];

const iperfSchema = z.object({
  end: z.object({
    sum: z.object({ seconds: z.number(), packets: z.number(), lost_packets: z.number() }),
  }),
});
