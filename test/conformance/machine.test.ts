import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { networkMtu, networkQueueSize } from "../../src/shared/limits.ts";
import { guestCmdline, guestFolder, run } from "./processes.ts";
import { burstFrames } from "./scenario.ts";

const buildMsMax = 600_000;
const runMsMax = 600_000;

/** Checksum (0), the guest's checksum (1), MTU (3), address (5), link state (16), version 1 (32). */
const offeredFeatures = `${"11010100000000001".padEnd(32, "0")}1${"0".repeat(31)}`;

let guest = "";
let cmdline = "";
const folders: string[] = [];

beforeAll(async () => {
  guest = await guestFolder();
  cmdline = await guestCmdline(guest);
}, buildMsMax);

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe.each(["tiny", "linux"] as const)("the %s guest", (kind) => {
  let recording: Awaited<ReturnType<typeof run>>;
  let replayed: Awaited<ReturnType<typeof run>>;
  let restored: Awaited<ReturnType<typeof run>>;

  beforeAll(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "lockstep-conformance-"));
    folders.push(folder);
    recording = await run("driver.ts", "record", folder, guest, kind, cmdline);
    [replayed, restored] = await Promise.all([
      run("driver.ts", "replay", folder, guest, kind, cmdline),
      run("driver.ts", "restore", folder, guest, kind, cmdline),
    ]);
  }, runMsMax);

  test("has the same whole state in another process that replays the log, moves included", () => {
    expect(replayed.different).toEqual([]);
    expect(replayed.compared).toBeGreaterThanOrEqual(Object.keys(recording.hashes).length);
    expect(replayed.isSameOutput).toBe(true);
  });

  test("has the same whole state in a third process that starts from the snapshot", () => {
    expect(restored.different).toEqual([]);
    expect(restored.compared).toBeGreaterThan(5);
    expect(restored.isSameOutput).toBe(true);
  });

  test("moved twice, and printed what its commands print", () => {
    expect(recording.moves).toHaveLength(2);
    expect(recording.output).toContain(kind === "linux" ? "ALL-DONE\r\n" : "SECOND WRITER\n");
  });

  test("makes no JIT module with floating-point arithmetic", () => {
    expect(recording.jitFloats).toEqual([]);
    if (kind === "linux") expect(recording.jitModules).toBeGreaterThan(50);
  });

  if (kind === "tiny") {
    test("gets bytes that a writer sends again only once, and none is lost in a long line", () => {
      expect(recording.output.match(/HELLO, THIS/g)).toHaveLength(1);
      expect(recording.output).toContain("SERIAL PORT TAKES IN AT ONCE\n");
      expect(recording.output).toContain("0123456789012345678901234567890123456789\n");
    });
    test("has no driver for its card: frames are lost, and it is announced by RARP", () => {
      expect(recording.egress).toEqual([]);
      expect(recording.network.announcement).toMatch(/^f{12}024c530102038035/);
    });
    test("is powered off when it halts with interrupts disabled", () => {
      expect(recording.poweredOff).toBe(true);
    });
  } else {
    test("sees the clock and the address of its start input after the shared boot", () => {
      expect(recording.output).toContain("\n2027\r\n02:4c:53:01:02:03\r\n");
    });

    test("answers every frame that it had a buffer for, and those sent again only once", () => {
      const { arpReplies, pings, roomForLastFlood } = recording.network;
      // A buffer for the longest frame is a chain of several entries of the queue.
      expect(roomForLastFlood).toBeGreaterThan(0);
      expect(roomForLastFlood).toBeLessThanOrEqual(networkQueueSize);
      expect(burstFrames).toBeGreaterThan(networkQueueSize);
      // One more came alone, later.
      expect(arpReplies).toBe(roomForLastFlood + 1);
      expect(pings).toEqual([1, 2, 3, 4]);
    });

    test("keeps a TCP connection over a move in the middle of it and a reset of its card", () => {
      expect(recording.network.echoed).toBe("one,two,three.");
    });

    test("leaves checksums to the card, which makes them right, and takes the card's word", () => {
      expect(recording.output).toContain(`card features ${offeredFeatures}\r\n`);
      expect(recording.network.badChecksums).toBe(0);
    });

    test("finds its card with the same address and MTU after a reset", () => {
      const found = `\n02:4c:53:01:02:03\r\n${networkMtu}\r\nCARD-RESET\r\n`;
      expect(recording.output).toContain(found);
    });

    test("is announced by gratuitous ARP, with the address that it has given itself", () => {
      const [mac, ipv4] = ["020000000099", "c0a87f02"];
      const arp = `f{12}${mac}08060001080006040001${mac}${ipv4}0{12}${ipv4}0{36}`;
      expect(recording.network.announcement).toMatch(new RegExp(`^${arp}$`));
    });
  }
});

describe("attacks", () => {
  const attack = (name: string) => run("attacks.ts", name, path.join(guest, "tiny.bin"));

  test(
    "code inside a step sees the virtual clock, and what would escape throws",
    async () => {
      const seen = await attack("globals");
      expect(seen.outside).toEqual({ now: 0, date: Date.UTC(2026, 0, 1), random: 0.5 });
      expect(seen).toMatchObject({
        now: 42.5,
        dateNow: 1234,
        newDate: "1970-01-01T00:00:01.234Z",
        random: 0.25,
      });
      expect(seen).toMatchObject({ utcHours: 1, timeoutOutside: "came" });
      for (const name of ["localHours", "dateText", "setTimeout", "setImmediate"]) {
        expect(seen[name]).toContain("inside a step");
      }
      for (const name of ["queueMicrotask", "getRandomValues"]) {
        expect(seen[name]).toContain("inside a step");
      }
    },
    runMsMax,
  );

  test(
    "a NaN has the same bits however often V8 has run the operation",
    async () => {
      const bits = await attack("nan");
      expect(bits.instr_F20F58).toHaveLength(1);
      expect(bits.instr_F20F59).toHaveLength(1);
    },
    runMsMax,
  );

  test(
    "a trap inside a step is a MachineTrap, and the machine takes no step afterwards",
    async () => {
      const { first, second } = await attack("trap");
      expect(first).toMatchObject({ isTrap: true });
      expect(first.message).toMatch(/^the step at \d+ µs trapped: /);
      expect(second).toMatchObject({ isTrap: false });
      expect(second.message).toContain("has trapped");
    },
    runMsMax,
  );

  test(
    "ten minutes of an idle guest leave nothing on the event loop",
    async () => {
      const { steps, queued } = await attack("idle");
      expect(steps).toBeGreaterThan(10_000);
      expect(queued).toBe(0);
    },
    runMsMax,
  );

  test(
    "a driver that spoils its queues harms neither its machine nor determinism",
    async () => {
      const result = await attack("hostileDriver");
      expect(result).toMatchObject({ powersOff: 2, areEqual: true });
      // It has really driven the card: one good frame left each of the two machines.
      expect(result).toMatchObject({ sent: 2 });
      expect(result.roomMax).toBeGreaterThan(0);
    },
    runMsMax,
  );

  test(
    "the start input's seed is all that makes two VMs differ",
    async () => {
      expect(await attack("random")).toEqual({ sameSeed: true, otherSeed: false });
    },
    runMsMax,
  );

  test(
    "a frozen source stays as it was, and a refused move changes nothing",
    async () => {
      const { early, ...rest } = await attack("afterMove");
      expect(early).toContain("before a spare instance was ready");
      expect(rest).toEqual({
        unchanged: true,
        afterSpare: true,
        same: true,
        released: "the snapshot was released",
      });
    },
    runMsMax,
  );
});
