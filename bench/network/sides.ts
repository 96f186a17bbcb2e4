/** The two sides of the network benchmark: the same guest behind the same kind of switch. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import type { RunnerStatus } from "../../src/shared/protocol/status.ts";
import { consoleShell } from "../cpu.ts";
import type { GuestShell } from "../guest-shell.ts";
import type { BenchOptions } from "../options.ts";
import { PinnedPair, temporary } from "../pinned-pair.ts";
import { startStock } from "../stock-side.ts";
import { choosePorts, type PublishedPorts, published, startSwitch } from "./switch.ts";
import { startServers, TcpThroughput } from "./throughput.ts";

export interface NetworkSide {
  readonly name: "stock" | "pair";
  readonly ports: PublishedPorts;
  readonly toGuest: TcpThroughput;
  readonly fromGuest: TcpThroughput;
  /** Of the primary; null for stock v86. */
  readonly status: () => Promise<RunnerStatus | null>;
  /** The other side is measured now. */
  readonly rest: () => void;
  readonly wake: () => void;
  readonly close: () => Promise<void>;
}

/** It has iperf3. */
const guest = "servers";
const memoryMiB = 128;

/** Stock v86 computes even while its guest idles, so it stands still while the pair is measured. */
export async function startStockSide({ cores }: BenchOptions): Promise<NetworkSide> {
  const directory = path.join(temporary, "switch");
  mkdirSync(directory);
  const gvproxy = await startSwitch(cores[1], directory);
  const { shell, child, close } = await startStock(guest, cores[0], memoryMiB, gvproxy.qemu);
  return {
    name: "stock",
    ...(await measures(shell, gvproxy.ports)),
    status: async () => null,
    rest: () => void child.kill("SIGSTOP"),
    wake: () => void child.kill("SIGCONT"),
    close: async () => {
      await Promise.all([close(), gvproxy.close()]);
    },
  };
}

export async function startPairSide({
  cores,
}: BenchOptions): Promise<NetworkSide & { readonly pair: PinnedPair }> {
  const ports = await choosePorts();
  const pair = await PinnedPair.start({
    ...{ guest, memoryMiB, cores },
    publish: published(ports),
  });
  return {
    name: "pair",
    ...(await measures(await consoleShell(pair), ports)),
    pair,
    status: async () => (await pair.livePrimary())?.status ?? null,
    rest: () => {},
    wake: () => {},
    close: () => pair.close(),
  };
}

async function measures(shell: GuestShell, ports: PublishedPorts) {
  await startServers(shell);
  return {
    ports,
    toGuest: new TcpThroughput("to guest", ports.sink),
    fromGuest: new TcpThroughput("from guest", ports.source),
  };
}
