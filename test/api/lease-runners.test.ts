/**
 * Runners as they are in pods: processes with addresses of their own that nobody told the others, and
 * a Lease of a real API server. Their rights are those of a runner.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { orderPowerOff } from "../../src/operator/kube/orders.ts";
import { createKeyFile } from "../../src/platform/key-file.ts";
import type { RunnerStatus } from "../../src/shared/protocol/status.ts";
import { addressesOf } from "../../src/storage-arbiter/record/kube-lease.ts";
import { freePort } from "../integration/pair-ports.ts";
import { TestProcess, TestRunner, until } from "../integration/pair-processes.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { LeaseAccount } from "./lease-account.ts";

jest.setTimeout(180_000);

describeWithApi(`runners with a Lease${unlessSkipped}`, () => {
  const api = withApi("runners");
  let account: LeaseAccount;
  let folder: string;
  let key: Uint8Array;
  let port: number;
  let controlPort: number;
  let started: TestRunner[];
  let vm: string;
  let name: string;

  beforeEach(async () => {
    vm = randomUUID();
    name = `web-${vm.slice(0, 8)}`;
    account = await LeaseAccount.create(api(), { name, vm });
    folder = await mkdtemp(path.join(os.tmpdir(), "runners-"));
    key = createKeyFile(path.join(folder, "key"));
    [port, controlPort] = [await freePort(), await freePort()];
    started = [];
  });
  afterEach(async () => {
    await Promise.all(started.map((runner) => runner.process.kill()));
    await account.close();
    await rm(folder, { recursive: true });
  });

  /** All listen on the same ports, each on its own address of this computer. */
  const addressOf = (number: number) => `127.0.0.${11 + number}`;
  const startRunner = async (number: number, ...more: string[]): Promise<TestRunner> => {
    const address = addressOf(number);
    const pod = `web-runner-${number}`;
    const place = { name: pod, port, http: await freePort(), peer: 0 };
    const flags = {
      ...{ vm, name, guest: "tiny", memory: "32", key: path.join(folder, "key") },
      ...{ listen: `${address}:${port}`, lease: `default/${name}`, address, pod },
      ...{ http: `127.0.0.1:${place.http}`, control: `${address}:${controlPort}` },
      // A computer that starts several of them at once must not look like a dead one.
      ...{ heartbeat: "100", timeout: "3000", "lag-target": "25" },
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const process = new TestProcess(
      pod,
      ["runner", ...args, "--exit-with-parent", ...more],
      account.environment,
    );
    const runner = new TestRunner(process, place);
    started.push(runner);
    return runner;
  };

  const untilStatus = (
    what: string,
    runner: TestRunner,
    isWanted: (status: RunnerStatus) => boolean,
  ): Promise<RunnerStatus> => {
    const evidence = () => started.map(({ process }) => process.evidence()).join("\n");
    const probe = async () => {
      const status = await runner.status();
      return status !== null && isWanted(status) ? status : null;
    };
    return until(`${runner.process.name}: ${what}`, probe, evidence);
  };
  const untilAlone = (runner: TestRunner) => {
    return untilStatus("it runs alone", runner, ({ live, backup }) => live && backup === null);
  };
  const untilBackup = (runner: TestRunner) => {
    return untilStatus("it is the backup", runner, ({ role }) => role === "backup");
  };
  const startPair = async (): Promise<[TestRunner, TestRunner]> => {
    const primary = await startRunner(0);
    await untilAlone(primary);
    const backup = await startRunner(1);
    await untilBackup(backup);
    return [primary, backup];
  };

  test("find each other by the record alone; the primary is killed, and a third one joins the backup", async () => {
    const [primary, backup] = await startPair();
    expect(primary.nonce).toMatch(/^web-runner-0_[0-9a-f]{16}$/);
    const lease = await account.lease();
    expect(lease.spec?.holderIdentity).toBe(primary.nonce);
    expect([...addressesOf(lease)]).toEqual([
      [primary.nonce, addressOf(0)],
      [backup.nonce, addressOf(1)],
    ]);
    await primary.process.kill();
    expect(await untilAlone(backup)).toMatchObject({ role: "primary", takeovers: 1, epoch: 3 });
    expect([...addressesOf(await account.lease())]).toEqual([[backup.nonce, addressOf(1)]]);
    const third = await startRunner(2);
    expect(await untilBackup(third)).toMatchObject({ primary: backup.nonce, backup: third.nonce });
    // And again, so that the third one has learned where nobody but the record could have told.
    await backup.process.kill();
    expect(await untilAlone(third)).toMatchObject({ role: "primary", takeovers: 2 });
  });

  test("hand over when the primary is told to leave, without a take-over", async () => {
    const [primary, backup] = await startPair();
    primary.process.terminate();
    expect(await primary.process.exitCode()).toBe(0);
    expect(await untilAlone(backup)).toMatchObject({ role: "primary", takeovers: 0 });
    const third = await startRunner(2);
    await untilBackup(third);
    backup.process.terminate();
    expect(await backup.process.exitCode()).toBe(0);
    expect(await untilAlone(third)).toMatchObject({ role: "primary", takeovers: 0 });
  });

  test("hold to the record while the API server is down, and lose nobody by it", async () => {
    const [primary, backup] = await startPair();
    await api().cluster.apiStop();
    const before = await primary.status();
    const isFurther = ({ step }: RunnerStatus) => step > (before?.step ?? 0) + 100;
    expect(await untilStatus("it runs on", primary, isFurther)).toMatchObject({ epoch: 2 });
    await primary.process.kill();
    const suspected = () => backup.process.logged("suspected").length > 0;
    await until("the backup suspects its primary", suspected, () => backup.process.evidence());
    expect(await backup.status()).toMatchObject({ role: "backup", epoch: 2, live: false });
    await api().cluster.apiStart();
    expect(await untilAlone(backup)).toMatchObject({ role: "primary", takeovers: 1, epoch: 3 });
  });

  test("take orders on their own port only, and begin anew with the operator's word", async () => {
    const [primary, backup] = await startPair();
    expect((await primary.get("/poweroff", "POST")).status).toBe(404);
    const order = { port: controlPort, vm, key, timeoutMs: 10_000 };
    const toBackup = await orderPowerOff({ ...order, host: addressOf(1) });
    expect(toBackup).toMatchObject({ kind: "refused" });
    expect(await orderPowerOff({ ...order, host: addressOf(0) })).toEqual({ kind: "accepted" });
    expect(await primary.process.exitCode()).toBe(0);
    expect(await backup.process.exitCode()).toBe(0);
    const epoch = (await account.lease()).spec?.leaseTransitions;
    expect(await account.lease()).not.toHaveProperty("spec.holderIdentity");
    const late = await startRunner(2);
    expect(await late.process.exitCode()).toBe(0);
    const next = await startRunner(3, "--restart-epoch", String(epoch));
    expect(await untilAlone(next)).toMatchObject({ role: "primary", epoch: (epoch ?? 0) + 1 });
  });
});
