/** gvproxy, for the stock side: started and used as its users do, with ports published over its HTTP API. */
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { freePort } from "../../src/cli/pair/free-port.ts";
import { findGvproxy } from "../../src/gateway/host/gvproxy-program.ts";
import type { PublishedPort } from "../../src/gateway/published-port.ts";
import { networkMtu } from "../../src/shared/limits.ts";
import { killed, startProgram } from "../processes.ts";
import { until } from "../waiting.ts";
import { guestPorts } from "./throughput.ts";

type GuestPort = keyof typeof guestPorts;
export type PublishedPorts = Readonly<Record<GuestPort, number>>;

const guestPortNames = ["echo", "counter", "sink", "source", "iperf"] as const;
const host = "127.0.0.1";
const guestAddress = "192.168.127.2";

/** A port of this computer for each of the guest's. */
export async function choosePorts(): Promise<PublishedPorts> {
  const [echo, counter, sink, source, iperf] = [
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
  ];
  return { echo, counter, sink, source, iperf };
}

/** Below those that the kernel gives to clients, one of which might be quicker than gvproxy. */
async function choosePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = net.createServer().listen(port, host);
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("listening", () => resolve(true)).once("error", () => resolve(false));
    });
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}

/** As `lockstep up --publish` and gvproxy want them; iperf3 uses both protocols on one port. */
export function published(ports: PublishedPorts): readonly PublishedPort[] {
  const tcp = guestPortNames.map((name) => ({
    ...{ host, hostPort: ports[name], guestPort: guestPorts[name] },
    protocol: "tcp" as const,
  }));
  const iperf = { host, hostPort: ports.iperf, guestPort: guestPorts.iperf };
  return [...tcp, { ...iperf, protocol: "udp" }];
}

export interface Switch {
  /** The socket for the guest's frames. */
  readonly qemu: string;
  readonly ports: PublishedPorts;
  readonly close: () => Promise<void>;
}

/** `directory` is where its sockets go. */
export async function startSwitch(core: number, directory: string): Promise<Switch> {
  const [qemu, services] = [path.join(directory, "qemu"), path.join(directory, "services")];
  const child = startProgram(core, await findGvproxy(() => {}), [
    ...["-listen-qemu", `unix://${qemu}`, "-services", `unix://${services}`],
    ...["-mtu", String(networkMtu), "-ssh-port", String(await freePort())],
  ]);
  child.stdout.resume();
  await until("gvproxy serves", () => (existsSync(qemu) && existsSync(services) ? true : null));
  const ports = await choosePorts();
  for (const { hostPort, guestPort, protocol } of published(ports)) {
    const [local, remote] = [`${host}:${hostPort}`, `${guestAddress}:${guestPort}`];
    await expose(services, { local, remote, protocol });
  }
  return { qemu, ports, close: () => killed(child) };
}

function expose(socketPath: string, port: Record<string, string>): Promise<void> {
  const where = { socketPath, method: "POST", path: "/services/forwarder/expose" };
  return new Promise((resolve, reject) => {
    const request = http.request(where, (response) => {
      response.resume();
      const { statusCode } = response;
      if (statusCode === 200) resolve();
      else reject(new Error(`gvproxy did not publish ${port["local"]}: status ${statusCode}`));
    });
    request.once("error", reject);
    request.end(JSON.stringify(port));
  });
}
