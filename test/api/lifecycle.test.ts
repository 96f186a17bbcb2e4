/** A cluster comes, goes and survives as a whole, whoever is killed; nothing of it is left afterwards. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { Cluster } from "../cluster/cluster.ts";
import { type Command, startCommand } from "../cluster/cluster-command.ts";
import { uniqueName } from "../cluster/cluster-of-tests.ts";
import { withMachineLock } from "../cluster/machine-lock.ts";
import { findProcesses, killProcesses } from "../cluster/processes.ts";
import { type ClusterRecord, Records } from "../cluster/record.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";

const timeoutMs = 180_000;
const configMap = ["configmap", "kept"];

/** Of an `up`: whether it has come so far. */
const moments: Readonly<
  Record<
    string,
    (record: ClusterRecord | undefined, records: Records) => Promise<boolean> | boolean
  >
> = {
  "after its first file": (record) => record !== undefined,
  "between its certificates": (record, records) =>
    record !== undefined && existsSync(path.join(records.layoutOf(record).pki, "ca.crt")),
  "while the API server begins": (record) =>
    record !== undefined && findProcesses(record.id).some(({ role }) => role === "kube-apiserver"),
};

describeWithApi(`a cluster without nodes${unlessSkipped}`, () => {
  const api = withApi("life");

  test("says where it is and that it is ready", async () => {
    const { cluster } = api();
    const status = await cluster.status();
    expect(status).toMatchObject({
      name: cluster.name,
      level: "api",
      api: "ready",
      missing: [],
      nodes: [],
    });
    expect(existsSync(status.kubeconfig)).toBe(true);
    expect(await api().kubectl.run(["get", "--raw", "/readyz"])).toBe("ok");
  });

  test(
    "keeps its data when the API server is ended and started again",
    async () => {
      const { cluster, kubectl } = api();
      await kubectl.run(["create", ...configMap, "--from-literal=a=1"]);
      const uid = await kubectl.value(".metadata.uid", ...configMap);
      await cluster.apiStop();
      expect(await cluster.status()).toMatchObject({ api: "stopped", missing: ["kube-apiserver"] });
      expect(await kubectl.attempt(["get", ...configMap])).toMatchObject({ code: 1 });
      await cluster.apiStop();
      await cluster.apiStart();
      await cluster.apiStart();
      expect(await kubectl.value(".metadata.uid", ...configMap)).toBe(uid);
      expect(await cluster.status()).toMatchObject({ api: "ready", missing: [] });
    },
    timeoutMs,
  );

  test(
    "whose API server was killed by somebody says so, and can be mended",
    async () => {
      const { cluster, kubectl } = api();
      kill(await new Records().get(cluster.name), "kube-apiserver");
      const stopped = async () => ((await cluster.status()).api === "stopped" ? true : null);
      await until("the status to say so", stopped, { everyMs: 1 });
      await cluster.apiStart();
      expect(await kubectl.run(["get", "--raw", "/readyz"])).toBe("ok");
    },
    timeoutMs,
  );

  test("keeps its name to itself", async () => {
    const { cluster } = api();
    await expect(Cluster.up({ name: cluster.name, level: "api" })).rejects.toThrow(
      new RegExp(
        `^a cluster "${cluster.name}" is there already, .* down --name ${cluster.name}; or`,
      ),
    );
    expect(await cluster.status()).toMatchObject({ api: "ready", missing: [] });
  });

  test("is not what an interrupted up of the same name takes down", async () => {
    const { cluster } = api();
    const command = startCommand(["up", "--level", "api", "--name", cluster.name]);
    const around = path.dirname(new Records().root);
    await withMachineLock(around, async () => {
      // Its first child is the one that waits for the lock.
      await until("the up to wait", async () => ((await command.childCount()) > 0 ? true : null));
      command.kill("SIGTERM");
      await until("the up to notice", () => (command.said().includes("interrupted") ? true : null));
    });
    expect(await command.end()).toBe(1);
    expect(command.said()).toContain(`cluster: a cluster "${cluster.name}" is there already`);
    expect(await cluster.status()).toMatchObject({ api: "ready", missing: [] });
  });

  test(
    "has a neighbour with the same objects, which lives on when it has gone; a second down says that it has",
    async () => {
      const other = await Cluster.up({ name: uniqueName("other"), level: "api" });
      try {
        const kubectl = await other.kubectl();
        await kubectl.run(["create", "configmap", "same"]);
        await api().kubectl.run(["create", "configmap", "same"]);
        const uids = [kubectl, api().kubectl].map((one) =>
          one.value(".metadata.uid", "configmap", "same"),
        );
        expect(new Set(await Promise.all(uids)).size).toBe(2);
      } finally {
        await other.down();
      }
      await expect(other.down()).rejects.toThrow(`there is no cluster "${other.name}"`);
      expect(await api().cluster.status()).toMatchObject({ api: "ready", missing: [] });
    },
    timeoutMs,
  );
});

describeWithApi(`an up that ends early${unlessSkipped}`, () => {
  let folder: string;
  let records: Records;
  let commands: Command[];
  /** Every record that was seen: its processes are looked for when the record has gone. */
  let seen: ClusterRecord[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "api-level-"));
    records = new Records(path.join(folder, "state"));
    commands = [];
    seen = [];
  });

  afterEach(async () => {
    for (const command of commands) command.kill("SIGKILL");
    for (const record of await records.all())
      await (await Cluster.open(record.spec.name, records)).down();
    await rm(folder, { recursive: true, force: true });
  }, timeoutMs);

  const command = (...args: string[]) => {
    const started = startCommand(args, { LOCKSTEP_CLUSTER_STATE: records.root });
    commands.push(started);
    return started;
  };

  const upUntil = async (moment: string) => {
    const up = command("up", "--level", "api", "--name", "early");
    await until(
      `${moment}: ${up.said()}`,
      async () => {
        if (up.hasEnded()) throw new Error(`it ended before ${moment}: ${up.said()}`);
        seen = await records.all();
        return (await moments[moment]?.(seen[0], records)) === true ? true : null;
      },
      { everyMs: 5, timeoutMs: 60_000 },
    );
    return up;
  };

  const expectNothingLeft = async () => {
    expect(await readdir(folder)).toEqual([]);
    for (const { id } of seen) expect(findProcesses(id)).toEqual([]);
  };

  test.each(Object.keys(moments))(
    "when it is killed %s, is what down removes",
    async (moment) => {
      const up = await upUntil(moment);
      up.kill("SIGKILL");
      expect(await up.end()).toBe("SIGKILL");
      const down = command("down", "--name", "early");
      expect([await down.end(), down.said()]).toEqual([0, "cluster: cluster early is gone\n"]);
      await expectNothingLeft();
    },
    timeoutMs,
  );

  test.each(Object.keys(moments))(
    "when another command ends the cluster %s, leaves nothing",
    async (moment) => {
      const up = await upUntil(moment);
      const down = command("down", "--name", "early");
      expect([await down.end(), down.said()]).toEqual([0, "cluster: cluster early is gone\n"]);
      expect(await up.end()).toBe(1);
      expect(up.said()).toMatch(/cluster early was ended|there is no cluster "early"/);
      await expectNothingLeft();
    },
    timeoutMs,
  );

  test(
    "by two commands at once, leaves the next cluster of its name alone",
    async () => {
      const opened = await Cluster.up({ name: "early", level: "api", records });
      const slow = await Cluster.open("early", records);
      seen = await records.all();
      await Promise.all([opened.down(), slow.down()]);
      await expectNothingLeft();
      const next = await Cluster.up({ name: "early", level: "api", records });
      await expect(slow.down()).rejects.toThrow("cluster early was ended meanwhile");
      expect(await next.status()).toMatchObject({ api: "ready", missing: [] });
      await next.down();
    },
    timeoutMs,
  );

  test.each(Object.keys(moments))(
    "when it is asked to end %s, removes everything itself",
    async (moment) => {
      const up = await upUntil(moment);
      up.kill("SIGTERM");
      expect(await up.end()).toBe(128 + os.constants.signals.SIGTERM);
      expect(up.said()).toContain("cluster: interrupted; taking down what was started\n");
      await expectNothingLeft();
    },
    timeoutMs,
  );
});

/** As somebody would who knows nothing of clusters: no matter when it is over. */
function kill({ id }: ClusterRecord, role: string): void {
  killProcesses(findProcesses(id).filter((found) => found.role === role));
}
