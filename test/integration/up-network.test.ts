/** The guest's network as users of `lockstep up` meet it: ports, readiness, and the gateway's end. */
import net from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { processStart } from "../../src/cli/pair/process-start.ts";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import { hasBrowser, openBrowser, whyNoBrowser } from "./browser.ts";
import { longMs, Sandbox, type Started, until, withoutGvproxy } from "./embedded-pair.ts";
import { describeWithNetwork, unlessSkipped } from "./guest-network.ts";
import { freePort } from "./pair-ports.ts";

/** A service of the default guest. */
const echoPort = 7;

/** What comes back for a line that is sent over a connection of its own; null: it broke. */
function echoed(port: number, line: string): Promise<string | null> {
  return new Promise((resolve) => {
    let back = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(line));
    socket.setEncoding("utf8").on("data", (text) => {
      back += text;
      if (back.endsWith("\n")) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(back.endsWith("\n") ? back : null));
  });
}

describeWithNetwork(`a pair with a published port${unlessSkipped}`, () => {
  let sandbox: Sandbox;
  let up: Started;
  let port: number;

  beforeAll(async () => {
    sandbox = new Sandbox();
    port = await freePort();
    const published = ["--publish", `${port}:${echoPort}`, "--ready", `tcp:${echoPort}`];
    up = sandbox.start("up", ...published);
    await up.says(/the guest is ready .TCP port 7./);
    await sandbox.redundant();
  }, longMs);

  afterAll(() => sandbox.close(), longMs);

  const gatewayPid = async () => (await sandbox.status()).network?.pid ?? null;
  const gvproxyPid = async () => (await sandbox.status()).network?.status?.gvproxy.pid ?? null;
  const isGone = (pid: number | null) => pid !== null && processStart(pid) === null;

  test(
    "the guest is reached where up and status say, and status shows how the network is",
    async () => {
      const line = `127.0.0.1:${port} leads to TCP port 7 of the guest`;
      expect(up.out).toContain(`[lockstep] ${line}\n`);
      expect(await echoed(port, "hello\n")).toBe("hello\n");
      const { out } = await sandbox.run("status");
      expect(out).toMatch(
        /^network: gateway pid \d+, gvproxy pid \d+, runner [ab] attached .epoch/m,
      );
      expect(out).toMatch(/ [1-9]\d* frames to the guest, [1-9]\d* from it, \d+ dropped$/m);
      expect(out).toContain(`\n  ${line}\n`);
      expect(out).toContain("\nguest: ready (TCP port 7)\n");
      const { network: shown, guest, record } = await sandbox.status();
      expect(shown?.status?.attached).toBe(record?.primary);
      expect(shown?.ports).toMatchObject([{ hostPort: port, guestPort: 7, protocol: "tcp" }]);
      expect(guest).toEqual({ waitsFor: "TCP port 7", ready: true });
    },
    longMs,
  );

  (hasBrowser ? test : test.skip)(
    `the web page shows the network and the port${whyNoBrowser}`,
    async () => {
      const browser = await openBrowser();
      const page = await browser.newPage();
      page.setDefaultTimeout(longMs / 2);
      await page.goto((await sandbox.status()).web ?? "");
      await page.locator('#network-state[data-state="attached"]').waitFor();
      const shown = async (id: string) => (await page.locator(`#${id}`).textContent()) ?? "";
      expect(await shown("network-state")).toMatch(/^runner [ab] attached, epoch \d+$/);
      expect(await shown("network-ports")).toBe(`127.0.0.1:${port} → TCP 7`);
      expect(await shown("network-frames")).toMatch(/^[\d,]+ frames to the guest, [\d,]+ from it/);
      expect(await shown("guest-ready")).toBe("guest ready (TCP port 7)");
      await browser.close();
    },
    longMs,
  );

  test(
    "a port that another program has is one sentence, and nothing is left half-started",
    async () => {
      const other = await sandbox.run("up", "--name", "other", "--publish", `${port}:80`);
      expect(other.code).toBe(exitCodes.addressInUse);
      expect(other.err).toMatch(new RegExp(`^lockstep up: .*${port}.*\n$`));
      expect(await sandbox.run("status", "--name", "other")).toMatchObject({
        code: exitCodes.notRunning,
      });
    },
    longMs,
  );

  test(
    "a killed gateway, and a killed gvproxy, are started again: the VM is unharmed, connections work",
    async () => {
      const before = await sandbox.status();
      const victims = [await gatewayPid(), await gvproxyPid()];
      expect((await sandbox.run("kill", "gateway")).out).toBe(
        `killed the gateway: pid ${victims[0]}\n`,
      );
      await up.says(new RegExp(`the gateway .pid ${victims[0]}. was killed by SIGKILL; starting`));
      await up.says(/the gateway serves again .pid \d+.: the guest has its network back/);
      await until("both to be gone", () => victims.every(isGone));
      await until("a new connection", async () => (await echoed(port, "again\n")) === "again\n");

      const gvproxy = await gvproxyPid();
      if (gvproxy === null) throw new Error("connections work without gvproxy");
      process.kill(gvproxy, "SIGKILL");
      await until("a new gvproxy", async () => {
        const pid = await gvproxyPid();
        return pid !== null && pid !== gvproxy;
      });
      await until("a new connection", async () => (await echoed(port, "anew\n")) === "anew\n");
      const after = await sandbox.status();
      expect(after.record).toEqual(before.record);
      expect(after.halves.map(({ nonce }) => nonce)).toEqual(
        before.halves.map(({ nonce }) => nonce),
      );
    },
    longMs,
  );

  test(
    "after a failover the guest is reached at the same port",
    async () => {
      const before = await sandbox.redundant();
      await sandbox.run("kill", "primary");
      await until("the guest's answer", async () => (await echoed(port, "still\n")) === "still\n");
      const after = await sandbox.status();
      expect(after.network?.status?.attached).toBe(before.record?.backup);
    },
    longMs,
  );

  test(
    "up killed with SIGKILL leaves neither the gateway nor gvproxy behind",
    async () => {
      const children = [await gatewayPid(), await gvproxyPid()];
      expect(children).not.toContain(null);
      up.child.kill("SIGKILL");
      await until("every child to end", () => {
        return children.every(isGone) && sandbox.survivors().length === 0;
      });
    },
    longMs,
  );
});

describe("the guest's user", () => {
  let sandbox: Sandbox;
  beforeEach(() => {
    sandbox = new Sandbox();
  });
  afterEach(() => sandbox.close(), longMs);

  const tiny = ["--guest", "tiny", "--memory", "16", "--web", "off"];

  test(
    "waits for a text on the console, whichever half was primary when it came",
    async () => {
      // This guest prints capitals for what is typed, among its ticks.
      const up = sandbox.start("up", ...tiny, "--ready", "console:Z");
      await up.says(/the pair is redundant/);
      expect((await sandbox.run("status")).out).toContain(
        'guest: not ready yet (waiting for "Z" on the console)\n',
      );
      await sandbox.run("kill", "primary");
      await up.says(/took over as the primary/);
      const console = sandbox.start("console");
      console.child.stdin?.write("z");
      await up.says(/the guest is ready ."Z" on the console./);
      expect((await sandbox.status()).guest).toMatchObject({ ready: true });
    },
    longMs,
  );

  test(
    "is told that there is no network, and why, where gvproxy cannot be had",
    async () => {
      const bare = withoutGvproxy(sandbox);
      const up = sandbox.startWith(bare, "up", "--web", "off");
      await up.says(/the guest has no network: the program gvproxy is not .* install it/);
      await up.says(/is the primary/);
      expect((await sandbox.run("status")).out).toContain("\nnetwork: none\n");

      const refused = await sandbox.startWith(bare, "up", "--name", "x", "--publish", "8080:80")
        .finished;
      expect(refused.code).toBe(exitCodes.noGvproxy);
      expect(refused.err).toMatch(
        /^lockstep up: --publish 127.0.0.1:8080:80 cannot be had: .* install Go [^\n]*\n$/,
      );
    },
    longMs,
  );
});
