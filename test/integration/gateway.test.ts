/** The gateway as a process with a real gvproxy behind it, and a runner that the test plays. */
import dgram from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { answerOfPort } from "../../src/gateway/guest-frames.ts";
import { createKeyFile } from "../../src/platform/key-file.ts";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import { ingressInFlightFramesMax } from "../../src/shared/limits.ts";
import { datagramTo, FakeGuest, synTo } from "./gateway-guest.ts";
import { GatewayProcesses, isRunning, memoryMiB } from "./gateway-processes.ts";
import { describeWithNetwork, unlessSkipped } from "./guest-network.ts";
import { freePort } from "./pair-ports.ts";

const timeoutMs = 180_000;
const warmFrames = 10_000;
/** Kept, they would be 55 MiB. */
const floodFrames = 40_000;
const floodDatagramBytes = 1_400;
const floodGrowthMiBMax = 45;

let rig: GatewayProcesses;
let port: number;
let published: string;
beforeEach(async () => {
  rig = await GatewayProcesses.create();
  port = await freePort();
  published = `${port}:53/udp`;
});
afterEach(() => rig.close());

describeWithNetwork(`the gateway${unlessSkipped}`, () => {
  test(
    "a runner that attaches before the record can be read waits, and is let in when it can",
    async () => {
      await rig.serve();
      const early = rig.connect().attach("a", 1);
      const tooOld = rig.connect().attach("b", 0);
      expect((await rig.get("/readyz")).status).toBe(503);
      await rig.startArbiter();
      await startVm("a");
      await rig.until("the primary is attached", () => early.attached !== null);
      await rig.until("the other one is refused", () => tooOld.reason);
      expect(tooOld.reason).toBe("stale epoch");
      expect(await rig.status()).toMatchObject({ epoch: 1, attached: "a" });
      expect((await rig.get("/readyz")).status).toBe(200);
    },
    timeoutMs,
  );

  test(
    "a fresh gateway lets in the primary of the record alone, and the primary of a later epoch",
    async () => {
      await rig.startArbiter();
      await startVm("a");
      await takeOver("a", "b");
      await rig.serve();
      const thawed = rig.connect().attach("a", 2);
      const impostor = rig.connect().attach("a", 3);
      await rig.until("both are refused", () => thawed.reason !== null && impostor.reason !== null);
      expect(thawed.received).toEqual([{ kind: "closed", reason: "stale epoch", epoch: 3 }]);
      expect(impostor.reason).toBe("not the primary");
      const primary = await rig.attach("b", 3);
      expect(primary.attached?.egressNext).toBeNull();
      // The record moved on after the gateway had read it.
      await rig.attach("c", 4);
      await rig.until("the one before is told", () => primary.reason === "superseded");
    },
    timeoutMs,
  );

  test(
    "whoever has another key is not heard, and a gateway with another key than the arbiter ends",
    async () => {
      await rig.startArbiter();
      await startVm("a");
      const gateway = await rig.serve();
      const stranger = rig.connect(new FakeGuest("stranger"), new Uint8Array(32));
      await rig.until("the stranger is turned away", () => stranger.closed);
      await rig.attach("a", 1);
      expect(stranger.received).toEqual([]);
      gateway.terminate();
      expect(await gateway.exitCode()).toBe(exitCodes.ok);
      const otherKey = path.join(rig.folder, "other-key");
      createKeyFile(otherKey);
      expect(await rig.startGateway({ key: otherKey }).exitCode()).toBe(exitCodes.refused);
    },
    timeoutMs,
  );

  test(
    "frames that the lost primary did not confirm go to the next one, and the lost one is not heard",
    async () => {
      const { client, a } = await carrying();
      // From here on `a` has no acknowledgement: nothing is confirmed, and nothing comes out.
      Object.assign(a, { confirms: false, answers: false });
      const seen = a.numbers.length;
      client.say("kept");
      await rig.until("it was given to a", () => a.guest.datagrams.includes("kept"));
      const unconfirmed = a.numbers.slice(seen);
      const b = await rig.attach("b", 2);
      await rig.until("b answers in its place", () => client.answers.includes("b:kept"));
      expect(b.numbers.slice(0, unconfirmed.length)).toEqual(unconfirmed);
      expect(b.attached?.egressNext).toBeGreaterThan(0);
      await rig.until("a is told", () => a.reason === "superseded");
      expect(client.answers.filter((answer) => answer.endsWith(":kept"))).toEqual(["b:kept"]);
      const { counters } = await rig.status();
      expect(counters.failovers).toBe(1);
    },
    timeoutMs,
  );

  test(
    "what a superseded runner sends before it hears of it does not come out",
    async () => {
      const { client, a } = await carrying();
      const before = (await rig.status()).counters;
      // It reads nothing, so it cannot know; what it had to say is on its way already.
      a.hang();
      const b = await rig.attach("b", 2);
      a.sendFrames([datagramTo("192.168.127.1", 4_242, "too late")]);
      const after = await rig.untilStatus("its frame is fenced", ({ counters }) => {
        return counters.egressFenced > before.egressFenced;
      });
      expect(after.counters.egressFrames).toBe(before.egressFrames);
      await client.untilAnswered("and now", "b", rig);
      expect(b.closed).toBe(false);
    },
    timeoutMs,
  );

  test(
    "a gateway that was killed takes gvproxy with it; started again it serves the same addresses",
    async () => {
      await rig.startArbiter();
      await startVm("a");
      const killed = await rig.serve({ publish: [published] });
      const client = await rig.udpClient(port);
      const a = await rig.attach("a", 1);
      await client.untilAnswered("one", "a", rig);
      const { gvproxy, gateway: number } = await rig.status();
      await killed.kill();
      await rig.until("gvproxy ends too", () => !isRunning(gvproxy.pid ?? 0));
      await rig.until("the runner is told", () => a.closed);
      await rig.serve({ publish: [published] });
      const again = await rig.attach("a", 1);
      expect(again.attached?.gateway).not.toBe(number);
      expect(again.attached?.egressNext).toBeNull();
      await client.untilAnswered("two", "a", rig);
    },
    timeoutMs,
  );

  test(
    "gvproxy that was killed is started again with its ports, and no runner notices",
    async () => {
      const { client, a } = await carrying();
      const pid = (await rig.status()).gvproxy.pid ?? 0;
      process.kill(pid, "SIGKILL");
      const { gvproxy } = await rig.untilStatus("gvproxy is another one", (status) => {
        return status.gvproxy.pid !== null && status.gvproxy.pid !== pid;
      });
      expect(gvproxy.restarts).toBe(1);
      await client.untilAnswered("two", "a", rig);
      expect(a.closed).toBe(false);
      const metrics = await (await rig.get("/metrics")).text();
      expect(metrics).toContain("lockstep_gateway_gvproxy_restarts_total 1");
    },
    timeoutMs,
  );

  test(
    "a flood from outside is dropped at the bound, is counted, and costs no memory",
    async () => {
      const { client, a } = await carrying();
      a.confirms = false;
      a.answers = false;
      const { pid, gvproxy } = await rig.status();
      // Whatever a process takes once, it has taken by then.
      const flooder = dgram.createSocket("udp4");
      flooder.connect(port, "127.0.0.1");
      await once(flooder, "connect");
      await floodUntilDropped(flooder, warmFrames);
      const before = [memoryMiB(pid), memoryMiB(gvproxy.pid ?? 0)];
      await floodUntilDropped(flooder, warmFrames + floodFrames);
      flooder.close();
      const after = [memoryMiB(pid), memoryMiB(gvproxy.pid ?? 0)];
      expect((after[0] ?? 0) - (before[0] ?? 0)).toBeLessThan(floodGrowthMiBMax);
      expect((after[1] ?? 0) - (before[1] ?? 0)).toBeLessThan(floodGrowthMiBMax);
      await rig.untilStatus("what nobody took is forgotten", (status) => {
        return status.counters.ingressExpired > 0;
      });
      a.confirms = true;
      a.answers = true;
      await client.untilAnswered("still there", "a", rig);
    },
    timeoutMs,
  );

  test(
    "a guest is ready when its port accepts connections, and not ready when it does not any more",
    async () => {
      await rig.startArbiter();
      await startVm("a");
      await rig.serve({ readyPort: 80 });
      expect((await rig.status()).guestReady).toBe(false);
      const a = await rig.attach("a", 1);
      const frames = a.numbers.length;
      await rig.until("its port was asked in vain", () => a.numbers.length > frames + 2);
      expect((await rig.status()).guestReady).toBe(false);
      expect((await rig.get("/readyz")).status).toBe(503);
      a.guest.listens = 80;
      await rig.untilStatus("it is ready", ({ guestReady }) => guestReady === true);
      expect((await rig.get("/readyz")).status).toBe(200);
      a.guest.listens = null;
      await rig.untilStatus("it is not ready", ({ guestReady }) => guestReady === false);
    },
    timeoutMs,
  );

  test(
    "the guest reaches neither gvproxy's own interface nor this computer's loopback",
    async () => {
      const server = net.createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      let connections = 0;
      server.on("connection", () => connections++);
      const address = server.address();
      const open = address !== null && typeof address === "object" ? address.port : 0;
      await rig.startArbiter();
      await startVm("a");
      await rig.serve({ publish: [published] });
      const client = await rig.udpClient(port);
      const a = await rig.attach("a", 1);
      a.sendFrames([synTo("192.168.127.1", 80), synTo("127.0.0.1", open), synTo("0.0.0.0", open)]);
      a.sendFrames([synTo("192.168.127.254", open)]);
      await rig.untilStatus(
        "all four are dropped",
        ({ counters }) => counters.egressForbidden === 4,
      );
      // What was sent after those was carried out, so they would have been too.
      await client.untilAnswered("hello", "a", rig);
      expect(connections).toBe(0);
      const frames = a.received.flatMap((m) => (m.kind === "ingress" ? m.frames : []));
      expect(frames.filter((frame) => answerOfPort(frame, 80) !== null)).toEqual([]);
      server.close();
    },
    timeoutMs,
  );

  test(
    "a port that somebody has is named, and a gateway told to end leaves nothing behind",
    async () => {
      const taken = net.createServer().listen(port, "127.0.0.1");
      await once(taken, "listening");
      const refused = rig.startGateway({ publish: [`${port}:80`] });
      expect(await refused.exitCode()).toBe(exitCodes.addressInUse);
      expect(refused.sentences()).toEqual([
        `lockstep gateway: port ${port}/tcp on 127.0.0.1 cannot be published: another process has ` +
          "it; choose another port or end that process",
      ]);
      taken.close();
      await once(taken, "close");
      const wrong = rig.startGateway({ publish: ["http"] });
      expect(await wrong.exitCode()).toBe(exitCodes.usage);
      const gateway = await rig.serve({ publish: [`${port}:80`] });
      const pid = (await rig.status()).gvproxy.pid ?? 0;
      expect(privateFolders()).toHaveLength(1);
      gateway.terminate();
      expect(await gateway.exitCode()).toBe(exitCodes.ok);
      expect(isRunning(pid)).toBe(false);
      expect(privateFolders()).toEqual([]);
    },
    timeoutMs,
  );
});

/** A gateway with a published port, and runner `a` that has answered a client through it. */
async function carrying() {
  await rig.startArbiter();
  await startVm("a");
  await rig.serve({ publish: [published] });
  const client = await rig.udpClient(port);
  const a = await rig.attach("a", 1);
  await client.untilAnswered("hello", "a", rig);
  return { client, a };
}

async function startVm(primary: string): Promise<void> {
  const { vm } = rig;
  await rig.transitions({ kind: "create", vm }, { kind: "start", vm, runner: primary, epoch: 0 });
}

/** From epoch 1 to 3. */
async function takeOver(primary: string, backup: string): Promise<void> {
  const { vm } = rig;
  await rig.transitions(
    { kind: "pair", vm, runner: primary, backup, epoch: 1 },
    { kind: "takeover", vm, runner: backup, epoch: 2 },
  );
}

/**
 * Datagrams nearly as long as a frame allows, as fast as they are taken. The system drops what gvproxy
 * has no time to read: it goes on until enough came through.
 */
async function floodUntilDropped(socket: dgram.Socket, frames: number): Promise<void> {
  const datagram = new Uint8Array(floodDatagramBytes);
  while ((await rig.status()).counters.ingressDropped < frames) {
    for (let sent = 0; sent < ingressInFlightFramesMax; sent++) {
      await new Promise((resolve) => socket.send(datagram, resolve));
    }
  }
}

function privateFolders(): string[] {
  return readdirSync(rig.folder).filter((name) => name.startsWith("lockstep-gw-"));
}
