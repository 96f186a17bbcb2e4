/** Two operators, as processes of their own, at a real API server: one acts, and the other when it does not. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { installMachines, machinesOf, makeMachine, makeNamespace } from "./operator-machines.ts";

jest.setTimeout(180_000);
const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

interface Replica {
  readonly process: ChildProcess;
  readonly self: string;
  readonly http: number;
  readonly ended: Promise<number | null>;
}

describeWithApi(`two operators${unlessSkipped}`, () => {
  const api = withApi("leader");
  const replicas: Replica[] = [];
  let namespace = "";
  let spaces = 0;

  beforeAll(() => installMachines(api()), 120_000);
  beforeEach(async () => {
    spaces += 1;
    namespace = `leader-${spaces}`;
    await makeNamespace(api(), namespace);
  });
  afterEach(async () => {
    for (const { process } of replicas) process.kill("SIGKILL");
    await Promise.all(replicas.splice(0).map(({ ended }) => ended));
  });

  const start = async (...more: string[]): Promise<Replica> => {
    const { kubeconfig } = await api().cluster.layout();
    const named = ["--namespace", namespace, "--leader-election-namespace", namespace];
    const ways = ["--kubeconfig", kubeconfig, "--http", "127.0.0.1:0", "--image", "lockstep:1"];
    const child = spawn(process.execPath, [command, "operator", ...named, ...ways, ...more], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(child, "exit").then(([code]): number | null => code);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const { operator, http }: { operator: string; http: number } = JSON.parse(line);
    const replica = { process: child, self: operator, http, ended };
    replicas.push(replica);
    return replica;
  };
  const lease = () =>
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/lockstep-operator`;
  const holder = async (): Promise<unknown> => {
    const { body } = await api().admin.get(lease());
    const { holderIdentity }: { holderIdentity?: string } = Object(body["spec"]);
    return holderIdentity ?? null;
  };
  const leads = ({ self }: Replica) =>
    until(`${self} to lead`, async () => ((await holder()) === self ? true : null));
  const status = async (name: string) =>
    (await api().admin.get(`${machinesOf(namespace)}/${name}`)).body["status"];
  const isLookedAfter = (name: string) =>
    until(`${name} to have a status`, async () => ((await status(name)) ? true : null));
  const pair = async (): Promise<[Replica, Replica]> => {
    const first = await start();
    await leads(first);
    return [first, await start()];
  };
  const leader = async ({ http }: Replica) => {
    const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    return /^lockstep_operator_leader (\d)$/m.exec(text)?.[1];
  };

  test("one acts and the other is ready; SIGTERM hands over at once", async () => {
    const [first, second] = await pair();
    await makeMachine(api(), namespace, "web");
    await isLookedAfter("web");
    await until("the other to be ready", async () => {
      const { status } = await fetch(`http://127.0.0.1:${second.http}/readyz`);
      return status === 200 ? true : null;
    });
    expect([await leader(first), await leader(second)]).toEqual(["1", "0"]);
    const startMs = performance.now();
    first.process.kill("SIGTERM");
    expect(await first.ended).toBe(exitCodes.ok);
    await leads(second);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await makeMachine(api(), namespace, "later");
    await isLookedAfter("later");
  });

  test("the other takes over from one that was killed", async () => {
    const [first, second] = await pair();
    first.process.kill("SIGKILL");
    await makeMachine(api(), namespace, "web");
    await leads(second);
    await isLookedAfter("web");
  });

  test("one that stood still and goes on does nothing any more, and ends", async () => {
    const [first, second] = await pair();
    first.process.kill("SIGSTOP");
    await leads(second);
    // Now nobody is there who could act, but for the one that is thawed.
    second.process.kill("SIGSTOP");
    await makeMachine(api(), namespace, "web");
    first.process.kill("SIGCONT");
    expect(await first.ended).toBe(exitCodes.leaseLost);
    expect(await status("web")).toBeUndefined();
    const web = await api().admin.get(`${machinesOf(namespace)}/web`);
    expect(web.body.metadata["finalizers"]).toBeUndefined();
    expect(await holder()).toBe(second.self);
    second.process.kill("SIGCONT");
    await Promise.race([isLookedAfter("web"), second.ended]);
  });

  test("one whose API server goes away ends, and one that waits does not", async () => {
    const [first, second] = await pair();
    await api().cluster.apiStop();
    expect(await first.ended).toBe(exitCodes.leaseLost);
    await api().cluster.apiStart();
    await leads(second);
    await makeMachine(api(), namespace, "web");
    await isLookedAfter("web");
  });

  test.each<[string, string[], number]>([
    ["a kubeconfig that is not there", ["--kubeconfig", "/nowhere/config"], exitCodes.usage],
    ["a namespace that is none", ["--namespace", "No_Such"], exitCodes.usage],
    ["no workers", ["--workers", "0"], exitCodes.usage],
  ])("%s: one sentence and its exit code", async (_, options, code) => {
    const needed = ["--image", "i", "--leader-election-namespace", "n", "--http", "127.0.0.1:0"];
    const child = spawn(process.execPath, [command, "operator", ...needed, ...options], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (more: string) => {
      said += more;
    });
    expect((await once(child, "exit"))[0]).toBe(code);
    expect(said.trim().split("\n")).toHaveLength(1);
  });
});
