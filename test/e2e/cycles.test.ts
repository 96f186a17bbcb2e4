/**
 * A cluster leaves nothing: whatever is done to it, whatever is killed at whatever moment, after `down`
 * the machine is as it was before. LOCKSTEP_CYCLES=20 for the long form; LOCKSTEP_CYCLES_SEED repeats.
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pause, until } from "../../bench/waiting.ts";
import { Cluster } from "../cluster/cluster.ts";
import { runCommand, startCommand } from "../cluster/cluster-command.ts";
import { Records } from "../cluster/record.ts";
import { below, type Random, randomOf } from "../simulation/world/random.ts";
import { endings } from "./cycle-endings.ts";
import { type ForeignThings, foreignMarks, makeForeignThings } from "./foreign-things.ts";
import { httpGet, LiveCluster } from "./live-cluster.ts";
import { differences, type MachineState, readMachine } from "./machine-state.ts";
import { webServers } from "./objects.ts";
import { afterVerb, describeVerb, drawVerb, freshWorld, perform } from "./random-verbs.ts";
import { describeWithNodes, unlessSkipped } from "./with-nodes.ts";

const cycles = Number(process.env["LOCKSTEP_CYCLES"] ?? 3);
const seed = Number(process.env["LOCKSTEP_CYCLES_SEED"] ?? randomInt(1_000_000));
const verbsPerCycle = 8;
const cycleTimeoutMs = 600_000;
/** An `up` takes about so long. */
const upMs = 12_000;
/** What the children of a command that was killed may need to notice that it is over. */
const orphansMs = 5_000;

describeWithNodes(`the machine is as it was${unlessSkipped}`, () => {
  let foreign: ForeignThings;
  /** Of every cluster so far: the names of what it has on the machine. */
  const marks = new Set(foreignMarks);

  beforeAll(async () => {
    foreign = await makeForeignThings();
  }, 60_000);

  afterAll(() => foreign?.remove(), 60_000);

  const expectAsBefore = async (before: MachineState, timeoutMs: number) => {
    let found: string[] = [];
    const isAsBefore = async () => {
      const others = await foreignNumbers();
      const after = await readMachine();
      const numbers = [...others, ...(await foreignNumbers())].flatMap(marksOfNumber);
      const own = [...marks].filter((mark) => !numbers.includes(mark));
      found = differences(before, after, { marks: own, alone: process.env["CI"] === "true" });
      return found.length === 0 ? true : null;
    };
    await until("", isAsBefore, { everyMs: 250, timeoutMs }).catch(() => {});
    expect([...found, ...foreign.gone().map((it) => `gone: ${it}`)]).toEqual([]);
  };

  /** Somebody else's cluster may have got the number of one of ours that is gone. */
  const foreignNumbers = async () => {
    const others = (await new Records().all()).filter(({ spec }) => !marks.has(spec.name));
    return others.map(({ spec }) => spec.number);
  };

  /** What happened is told when something is wrong, with what repeats it. */
  const told = async (
    name: string,
    work: (random: Random, tell: Tell) => Promise<void>,
    settleMs = 0,
  ) => {
    const begin = performance.now();
    const story: string[] = [];
    const tell = (text: string) => {
      story.push(`${((performance.now() - begin) / 1000).toFixed(1)} s  ${text}`);
    };
    const before = await readMachine();
    try {
      await work(randomOf(seed, name), tell);
      await expectAsBefore(before, settleMs);
    } catch (error) {
      await endWhatRuns().catch((another) => tell(`down: ${another}`));
      const repeat = `LOCKSTEP_CYCLES_SEED=${seed} LOCKSTEP_CYCLES=${cycles}`;
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${name}: ${what}\nto repeat it: ${repeat}\n${story.join("\n")}`);
    }
  };

  const endWhatRuns = async () => {
    const left = (await new Records().all()).filter(({ spec }) => marks.has(spec.name));
    for (const { spec } of left) await runCommand("down", "--name", spec.name);
  };

  const newName = (purpose: string) => `${purpose}-${process.pid}`;

  /** From here on, whatever carries the cluster's names counts as left. */
  const mark = async (name: string) => {
    marks.add(name);
    const record = (await new Records().all()).find(({ spec }) => spec.name === name);
    if (record === undefined) return;
    for (const one of [record.id, ...marksOfNumber(record.spec.number)]) marks.add(one);
  };

  const up = async (name: string, nodes: number) => {
    marks.add(name);
    const cluster = await Cluster.up({ name, nodes });
    await mark(name);
    return cluster;
  };

  test.each(Array.from({ length: cycles }, (_, i) => i))(
    "after cycle %i of an up, random verbs and a down",
    (index) =>
      told(`cycle ${index}`, async (random, tell) => {
        const cluster = await up(newName(`cycle${index}`), 3);
        tell("up");
        let world = freshWorld((await cluster.layout()).nodes.map(({ name }) => name));
        for (let i = 0; i < verbsPerCycle; i++) {
          const verb = drawVerb(random, world);
          tell(describeVerb(verb));
          await perform(cluster, verb);
          world = afterVerb(world, verb);
        }
        const ending = endings[index % endings.length];
        tell(`ended ${ending?.name}`);
        await ending?.end(cluster, random);
      }),
    cycleTimeoutMs,
  );

  const interruptions = Array.from({ length: Math.ceil(cycles / 3) }, (_, i) => i);

  test.each(interruptions)(
    "after kill -9 of the command up at some moment, and a down (%i)",
    (index) =>
      told(
        `kill ${index}`,
        async (random, tell) => {
          const name = newName(`killed${index}`);
          await interruptedUp(name, "SIGKILL", upMs * random(), tell);
          const record = (await new Records().all()).find(({ spec }) => spec.name === name);
          if (record !== undefined) await runCommand("down", "--name", name);
        },
        orphansMs,
      ),
    cycleTimeoutMs,
  );

  test.each(interruptions)(
    "after SIGTERM to the command up at some moment (%i)",
    (index) =>
      told(`sigterm ${index}`, async (random, tell) => {
        const name = newName(`term${index}`);
        const code = await interruptedUp(name, "SIGTERM", upMs * random(), tell);
        if (code === 0) await runCommand("down", "--name", name);
        else expect([143, "SIGTERM"]).toContain(code);
      }),
    cycleTimeoutMs,
  );

  const interruptedUp = async (name: string, signal: NodeJS.Signals, ms: number, tell: Tell) => {
    const command = startCommand(["up", "--name", name, "--nodes", "2"]);
    await pause(ms);
    await mark(name);
    tell(`${signal} after ${Math.round(ms)} ms of: ${command.said()}`);
    command.kill(signal);
    const ended = await command.end();
    tell(`up ended with ${ended}: ${command.said()}`);
    return ended;
  };

  test(
    "while one cluster goes, another lives on; and after both",
    () =>
      told("two clusters", async (random, tell) => {
        const [stays, goes] = await Promise.all([
          up(newName("stays"), 2),
          up(newName("goes"), 1 + below(random, 2)),
        ]);
        tell("both are up");
        const live = new LiveCluster(stays, await stays.kubectl(), await stays.layout());
        await live.kubectl.apply(webServers("web", 2));
        await live.rolledOut("deployment/web");
        const address = await live.kubectl.value(".items[0].status.podIP", "pods", "-l", "app=web");
        await goes.down();
        tell("one is gone");
        for (const node of live.layout.nodes) expect(await live.isReady(node.name)).toBe(true);
        expect(await httpGet(`http://${address}:8080/`)).toMatch(/^hello from node/);
        expect(await stays.status()).toMatchObject({ api: "ready", missing: [] });
        // Its limits are still those that it needs, and it can still start something.
        await live.kubectl.apply(webServers("after", 2));
        await live.rolledOut("deployment/after");
        await stays.down();
      }),
    cycleTimeoutMs,
  );
});

type Tell = (text: string) => void;

/** What the links and addresses of the cluster with this number begin with. */
function marksOfNumber(number: number): string[] {
  return [`lockstep${number}`, `10.${number}.`];
}
