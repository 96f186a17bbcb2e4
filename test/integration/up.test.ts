/** `lockstep up` and the commands around it, as processes, with the tiny guest. */
import net, { type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import { longMs, Sandbox, until } from "./embedded-pair.ts";

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.close(), longMs);

const tiny = ["--guest", "tiny", "--memory", "16", "--web", "off"];

test(
  "the primary is killed, the backup goes on, a new backup comes, and stop leaves nothing",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const before = await sandbox.redundant();
    const primary = before.halves.find(({ status }) => status?.role === "primary");
    const backup = before.halves.find(({ status }) => status?.role === "backup");

    const killed = await sandbox.run("kill", "primary");
    expect(killed.out).toBe(
      `killed the primary: runner ${primary?.id}, pid ${primary?.pid}, nonce ${primary?.nonce}\n`,
    );
    await up.says(new RegExp(`runner ${primary?.id} .pid ${primary?.pid}. was killed by SIGKILL`));
    await up.says(new RegExp(`runner ${backup?.id} took over as the primary`));
    const after = await sandbox.redundant();
    expect(after.record).toMatchObject({ primary: backup?.nonce, takeovers: 1 });
    expect(after.halves.map(({ nonce }) => nonce)).not.toContain(primary?.nonce);

    const table = await sandbox.run("status");
    expect(table.out).toMatch(/primary +\d+ +[0-9a-f]+ +\d+ /);
    expect(table.out).toMatch(/1 take-overs/);

    expect(await sandbox.run("stop")).toMatchObject({ code: 0, err: "" });
    expect(await up.finished).toMatchObject({ code: 0, err: "" });
    expect(up.out).toMatch(/the VM is powered off\n$/);
    expect(sandbox.survivors()).toEqual([]);
    expect(await sandbox.run("status")).toMatchObject({ code: exitCodes.notRunning });
  },
  longMs,
);

test(
  "a killed backup is replaced, while the primary stays",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const before = await sandbox.redundant();
    const killed = await sandbox.run("kill", "backup");
    expect(killed.out).toContain(`nonce ${before.record?.backup}\n`);
    await until("a new backup", async () => {
      const { record } = await sandbox.status();
      return record?.backup != null && record.backup !== before.record?.backup;
    });
    const after = await sandbox.redundant();
    expect(after.record).toMatchObject({ primary: before.record?.primary, takeovers: 0 });
  },
  longMs,
);

test.each(["SIGTERM", "SIGINT", "SIGKILL"] as const)(
  "nothing survives %s of up",
  async (signal) => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const { halves } = await sandbox.status();
    expect(sandbox.survivors()).toEqual(expect.arrayContaining(halves.map(({ pid }) => pid)));
    up.child.kill(signal);
    const { code } = await up.finished;
    expect(code).toBe(signal === "SIGKILL" ? null : 0);
    await until("every child to end", () => sandbox.survivors().length === 0);
    if (signal !== "SIGKILL") return;
    // What a dead process left is taken over.
    const again = sandbox.start("up", ...tiny);
    await again.says(/is the primary/);
  },
  longMs,
);

test(
  "what the guest is sent on its console it gets once, across a failover",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const console = sandbox.start("console");
    await console.says(/tick 1\d/);
    // Without b and q, which are commands to this guest.
    const letters = "acdefghijklmnoprstuvwxyz".repeat(4);
    for (const [i, letter] of [...letters].entries()) {
      console.child.stdin?.write(letter);
      if (i === 40) await sandbox.run("kill", "primary");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const echoed = () => console.out.replace(/tick \d+\n|tiny ready\n/g, "").replace(/[^A-Z]/g, "");
    await until("every letter to come back", () => echoed().length >= letters.length);
    expect(echoed()).toBe(letters.toUpperCase());
    const ticks = [...console.out.matchAll(/tick (\d+)/g)].map(([, tick]) => Number(tick));
    expect(ticks).toEqual(ticks.map((_, i) => i + 1));
  },
  longMs,
);

test(
  "on a terminal, keys go to the guest until the detach key, and then to up",
  async () => {
    const up = sandbox.startOnTerminal("up", ...tiny);
    await up.says(/the guest's console: Ctrl-\] detaches/);
    await up.says(/the pair is redundant/);
    up.child.stdin?.write("x");
    await up.says(/X/);
    up.child.stdin?.write("\x1d");
    await up.says(/detached: Enter goes back to the guest, q switches the VM off/);
    await up.says(/default \| primary [ab] .pid \d+. \| backup [ab]/);
    const [lastShown] = up.out.match(/tick \d+/g)?.slice(-1) ?? [];
    up.child.stdin?.write("\r");
    await up.says(new RegExp(`detached:[^]*tick ${Number(lastShown?.slice(5)) + 1}\\s`));
    up.child.stdin?.write("\x1dq");
    expect((await up.finished).code).toBe(0);
    expect(up.out).toMatch(/the VM is powered off\s*$/);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test(
  "a guest that switches itself off ends the pair with code 0",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const console = sandbox.start("console");
    await console.says(/tick/);
    console.child.stdin?.write("q");
    expect(await up.finished).toMatchObject({ code: 0, err: "" });
    expect(up.out).toMatch(/the VM is powered off\n$/);
    expect(await console.finished).toMatchObject({ code: 0 });
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test(
  "both halves killed at once: the VM is lost, and up says so",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/the pair is redundant/);
    const { halves } = await sandbox.redundant();
    for (const { pid } of halves) if (pid !== null) process.kill(pid, "SIGKILL");
    const { code, err } = await up.finished;
    expect(code).toBe(exitCodes.vmLost);
    expect(err).toMatch(/^lockstep up: the VM is lost, both runners are gone: .*SIGKILL.*\n$/);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test(
  "a name that is in use is refused, and the pair that has it goes on",
  async () => {
    const up = sandbox.start("up", ...tiny);
    await up.says(/is the primary/);
    const second = await sandbox.run("up", ...tiny);
    expect(second).toMatchObject({ code: exitCodes.usage, out: "" });
    expect(second.err).toMatch(
      /^lockstep up: a pair named "default" is already run by process \d+;/,
    );
    expect((await sandbox.status()).pid).toBe(up.child.pid);
  },
  longMs,
);

test(
  "a web port that is in use is one sentence, and nothing is left half-started",
  async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await until("the port", () => server.listening);
    const { port } = server.address() as AddressInfo; // SAFETY: it listens on a TCP port.
    const refused = await sandbox.run("up", "--guest", "tiny", "--web", String(port));
    server.close();
    expect(refused).toMatchObject({ code: exitCodes.addressInUse, out: "" });
    expect(refused.err).toMatch(/^lockstep up: the web page cannot be served on .*\n$/);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test.each([
  [["up", "--name", "../x"], exitCodes.usage, /name "..\/x" cannot be used: expected 1 to 40/],
  [["up", "--memory", "17"], exitCodes.usage, /expected an even number of MiB from 16 to 1024/],
  [["up", "--web", "http"], exitCodes.usage, /expected a port from 0 to 65535, or "off"/],
  [["up", "--publish", "80"], exitCodes.usage, /expected \[host:\]hostPort:guestPort\[.udp\]/],
  [["up", "--publish", "8080:80/sctp"], exitCodes.usage, /expected \[host:\]hostPort:guestPort/],
  [["up", "--network", "on"], exitCodes.usage, /expected "auto" or "off"/],
  [["up", "--ready", "http:80"], exitCodes.usage, /expected tcp:PORT with a port from 1 to 65535/],
  [["up", "--ready", "console:"], exitCodes.usage, /or console:TEXT, such as "console:login:"/],
  [
    ["up", "--publish", "8080:80", "--network", "off"],
    exitCodes.usage,
    /--publish 127.0.0.1:8080:80 needs the network, and it is off; leave one of them away/,
  ],
  [
    ["up", "--ready", "tcp:80", "--guest", "tiny"],
    exitCodes.usage,
    /--ready tcp:80 cannot be had: the guest "tiny" has no network card driver; use --guest default/,
  ],
  [["up", "--detach-key", "q"], exitCodes.usage, /expected a control key such as/],
  [["up", "--guest", "/nowhere", "--web", "off"], exitCodes.usage, /no guest at \/nowhere/],
  [["demo", "--kills", "0"], exitCodes.usage, /expected a number from 1 to 1000/],
  [["kill", "both"], exitCodes.usage, /Allowed choices are primary, backup, gateway/],
  [["status"], exitCodes.notRunning, /no pair named "default" is running; start it with/],
  [["status", "--json"], exitCodes.notRunning, /no pair named "default"/],
  [["kill", "primary"], exitCodes.notRunning, /no pair named "default"/],
  [["kill", "gateway"], exitCodes.notRunning, /no pair named "default"/],
  [["console", "--name", "other"], exitCodes.notRunning, /lockstep up --name other/],
  [["stop"], exitCodes.notRunning, /no pair named "default"/],
])(
  "lockstep %j is refused with one sentence",
  async (args, code, sentence) => {
    const refused = await sandbox.run(...args);
    expect(refused).toMatchObject({ code, out: "" });
    expect(refused.err).toMatch(sentence);
    expect(refused.err.trim().split("\n")).toHaveLength(1);
  },
  longMs,
);
