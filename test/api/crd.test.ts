/** The CRD on a real API server: what it fills in, what it refuses with which words, what it shows. */
import { fileURLToPath } from "node:url";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { apiVersion, kind, plural } from "../../src/operator/api/v1alpha1.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { accepted, booting, http, kernel, refused } from "./machine-specs.ts";

const file = fileURLToPath(
  new URL("../../crds/lockstep.dev_ftvirtualmachines.yaml", import.meta.url),
);
// Several calls of kubectl take seconds on a computer that is busy.
jest.setTimeout(60_000);

const machines = `/apis/${apiVersion}/namespaces/default/${plural}`;

function machine(name: string, spec: object | undefined, rest: object = {}) {
  return { apiVersion, kind, metadata: { name }, spec, ...rest };
}

describeWithApi(`the CRD${unlessSkipped}`, () => {
  const api = withApi("crd");
  const make = async (name: string, spec: object) => {
    const answer = await api().admin.create(machines, machine(name, spec));
    expect([answer.status, answer.message]).toEqual([201, ""]);
    return answer.body;
  };
  const kubectl = (args: readonly string[], input?: object) =>
    api().kubectl.attempt(args, input === undefined ? {} : { input: JSON.stringify(input) });

  beforeAll(async () => {
    const definition = await api().kubectl.run(["apply", "--validate=strict", "-f", file]);
    expect(definition).toContain("created");
    await until("the resource to be served", async () => {
      const { status } = await api().admin.get(machines);
      return status === 200 ? true : null;
    });
  }, 60_000);

  test("an empty spec is a whole machine", async () => {
    const made = await make("empty", {});
    expect(made["spec"]).toEqual({
      powerState: "Running",
      memory: "128Mi",
      boot: { guest: "default" },
      network: { enabled: true, serviceType: "ClusterIP", ports: [] },
      faultTolerance: {
        enabled: true,
        heartbeatMilliseconds: 50,
        timeoutMilliseconds: 500,
        lagTargetMilliseconds: 20,
        onPairLost: "Restart",
      },
      placement: { topologyKey: "kubernetes.io/hostname", nodeSelector: {}, tolerations: [] },
    });
  });

  test("what is given stays beside what is filled in", async () => {
    const given = { boot: { kernel }, network: { ports: [http] }, faultTolerance: {} };
    const made = await make("partly", given);
    expect(made["spec"]).toMatchObject({
      boot: { kernel: { ...kernel, commandLine: "console=ttyS0 tsc=reliable" } },
      network: { enabled: true, ports: [{ ...http, protocol: "TCP" }] },
      faultTolerance: { timeoutMilliseconds: 500 },
    });
    expect(made["spec"]).not.toHaveProperty("boot.guest");
  });

  test.each(accepted)("takes %s", async (_, spec) => {
    const answer = await dryRun(machine("good", spec));
    expect([answer.status, answer.message]).toEqual([201, ""]);
  });

  test.each(refused.map(([spec, sentence]) => [sentence, spec] as const))(
    "refuses with: %s",
    async (sentence, spec) => {
      const { status, message } = await dryRun(machine("bad", spec));
      expect(message).toContain(sentence);
      expect(status).toBe(422);
    },
  );

  test.each(["web.shop", "9web", "web-", "w".repeat(41)])("refuses the name %s", async (name) => {
    const { status, message } = await dryRun(machine(name, {}));
    expect(message).toContain(
      'metadata.name must be at most 40 lower-case letters, digits and "-", begin with a letter',
    );
    expect(status).toBe(422);
  });

  test("takes a name of 40 letters, and refuses a manifest without a spec", async () => {
    expect(await dryRun(machine("w".repeat(40), {}))).toMatchObject({ status: 201 });
    const { status, message } = await dryRun(machine("web", undefined));
    expect([status, message]).toEqual([422, expect.stringContaining("spec: Required value")]);
  });

  test("refuses fields that it does not know, and drops them where nobody asked for strictness", async () => {
    const volume = { ...kernel.volume, hostPath: { path: "/" } };
    const odd = machine("odd", { colour: "red", disks: [], ...booting({ volume }) });
    const strict = await kubectl(["apply", "-f", "-"], odd);
    for (const field of ["spec.colour", "spec.disks", "spec.boot.kernel.volume.hostPath"]) {
      expect(strict.stderr).toContain(`unknown field "${field}"`);
    }
    const lax = await api().admin.create(`${machines}?fieldValidation=Ignore`, odd);
    expect(lax.body["spec"]).toMatchObject({ boot: { kernel } });
    expect(JSON.stringify(lax.body["spec"])).not.toMatch(/colour|disks|hostPath/);
  });

  test.each(["secret", "projected", "csi"])(
    "takes no kernel from a volume of kind %s: whoever makes machines could read Secrets with it",
    async (kind) => {
      const spec = machine("curious", booting({ volume: { [kind]: { secretName: "other" } } }));
      const strict = await dryRun(spec);
      expect(strict.message).toContain(`unknown field "spec.boot.kernel.volume.${kind}"`);
      const lax = await api().admin.create(`${machines}?fieldValidation=Ignore`, spec);
      expect(lax.message).toContain("volume takes exactly one of configMap");
      expect([strict.status, lax.status]).toEqual([400, 422]);
    },
  );

  test.each([true, false])("network.enabled stays %s", async (enabled) => {
    const name = `fixed-${enabled}`;
    await make(name, { network: { enabled } });
    const other = { spec: { network: { enabled: !enabled } } };
    const { status, message } = await api().admin.merge(`${machines}/${name}`, other);
    const sentence = "network.enabled cannot be changed; make another FTVirtualMachine";
    expect([status, message]).toEqual([
      422,
      expect.stringContaining(`spec.network.enabled: Invalid value: ${!enabled}: ${sentence}`),
    ]);
    const rest = { spec: { memory: "64Mi", faultTolerance: { enabled: false } } };
    expect(await api().admin.merge(`${machines}/${name}`, rest)).toMatchObject({ status: 200 });
  });

  test("kubectl apply goes from the guest that was filled in to a kernel as the message says", async () => {
    await api().kubectl.apply([machine("imported", {})]);
    const refused = await kubectl(["apply", "-f", "-"], machine("imported", { boot: { kernel } }));
    expect(refused.stderr).toContain("(a guest that was filled in, with guest: null)");
    await api().kubectl.apply([machine("imported", { boot: { kernel, guest: null } })]);
    const { body } = await api().admin.get(`${machines}/imported`);
    expect(body["spec"]).toMatchObject({ boot: { kernel } });
    expect(body["spec"]).not.toHaveProperty("boot.guest");
  });

  test("the user applies the spec and the operator the status, and neither touches the other's", async () => {
    const at = `${machines}/shared`;
    const mine = machine("shared", { memory: "64Mi", network: { ports: [http] } });
    const made = await api().admin.applyAs("user", at, mine);
    expect([made.status, made.message]).toEqual([201, ""]);
    const status = { phase: "Running", epoch: 2, conditions: [condition("Ready")] };
    const report = machine("shared", undefined, { status });
    expect(await api().admin.applyAs("lockstep-operator", `${at}/status`, report)).toMatchObject({
      status: 200,
      body: { spec: { memory: "64Mi" }, status, metadata: { generation: 1 } },
    });

    const viaStatus = { spec: { memory: "96Mi" }, status: { epoch: 3 } };
    const reported = await api().admin.merge(`${at}/status`, viaStatus);
    expect(reported.body).toMatchObject({ spec: { memory: "64Mi" }, status: { epoch: 3 } });
    const viaSpec = { spec: { memory: "96Mi" }, status: { epoch: 9 } };
    const changed = await api().admin.merge(at, viaSpec);
    expect(changed.body).toMatchObject({
      spec: { memory: "96Mi" },
      status: { epoch: 3 },
      metadata: { generation: 2 },
    });

    // Lists are merged by their keys: another manager's entry does not drive out this one's.
    const another = machine("shared", {
      network: { ports: [{ ...http, name: "b", port: 81, guestPort: 81 }] },
    });
    const both = await api().admin.applyAs("another", at, another);
    expect(both.body["spec"]).toMatchObject({
      network: { ports: [{ name: "http" }, { name: "b" }] },
    });
    // What boots is one thing: whoever applies a kernel takes the guest that was filled in away.
    const booted = machine("shared", { boot: { kernel } });
    const taken = await api().admin.applyAs("another", at, booted);
    expect(taken.body["spec"]).not.toHaveProperty("boot.guest");
  });

  test.each<[object, string]>([
    [{ phase: "Fine" }, 'status.phase: Unsupported value: "Fine"'],
    [
      { lastFailover: { time: "today", reason: "", gapMilliseconds: 1 } },
      "must be of type date-time",
    ],
    [
      { conditions: [condition("Ready"), condition("Ready")] },
      'status.conditions[1]: Duplicate value: {"type":"Ready"}',
    ],
  ])("refuses the status %j", async (status, sentence) => {
    const { body } = await api().admin.get(`${machines}/empty`);
    const answer = await api().admin.replace(`${machines}/empty/status`, { ...body, status });
    expect([answer.status, answer.message]).toEqual([422, expect.stringContaining(sentence)]);
  });

  test("kubectl get shows the machine in a line, and more of it with -o wide", async () => {
    await make("shown", {});
    await api().admin.merge(`${machines}/shown/status`, { status: shown });
    const cells = async (...args: string[]) => {
      const lines = (await api().kubectl.run(["get", "ftvm", "shown", ...args])).trim().split("\n");
      return lines.map((line) => line.trim().split(/ {2,}/));
    };
    const [narrowHeads, narrow] = await cells();
    expect(narrowHeads?.join(" ")).toBe("NAME STATUS PRIMARY BACKUP EPOCH LAG(MS) FAILOVERS AGE");
    expect(narrow?.slice(0, -1)).toEqual(["shown", "Running", "node2", "node3", "4", "20", "1"]);
    const [wideHeads, wide] = await cells("-o", "wide");
    expect(wideHeads?.slice(8).join(" ")).toBe(
      "PRIMARY-POD BACKUP-POD GATEWAY READY FAULTTOLERANT RESTARTS LAST-FAILOVER GAP(MS) ADDRESS",
    );
    expect(wide?.slice(8).join(" ")).toMatch(
      /^shown-runner-2 shown-runner-3 shown-gateway-1 True False 0 \S+ 180 10.0.0.7$/,
    );
  });

  test("kubectl finds it by its names, and explains it", async () => {
    for (const word of ["ftvm", "ftvirtualmachine", "lockstep"]) {
      expect(await api().kubectl.run(["get", word, "-o", "name"])).toContain(
        "ftvirtualmachine.lockstep.dev/empty",
      );
    }
    const field = "ftvm.spec.faultTolerance.timeoutMilliseconds";
    const explained = (await api().kubectl.run(["explain", field])).replace(/\s+/g, " ");
    expect(explained).toContain("FIELD: timeoutMilliseconds <integer>");
    expect(explained).toContain("Silence after which the other half counts as lost.");
    expect(explained).not.toContain("@");
  });

  const dryRun = (object: object) =>
    api().admin.create(`${machines}?dryRun=All&fieldValidation=Strict`, object);
});

const shown = {
  phase: "Running",
  epoch: 4,
  primary: { pod: "shown-runner-2", node: "node2" },
  backup: { pod: "shown-runner-3", node: "node3" },
  gateway: { pod: "shown-gateway-1", node: "node1" },
  lagMilliseconds: 20,
  failovers: 1,
  restarts: 0,
  lastFailover: { time: "2026-01-01T00:00:00Z", reason: "PodGone", gapMilliseconds: 180 },
  address: "10.0.0.7",
  conditions: [condition("Ready"), condition("FaultTolerant", "False")],
};

function condition(type: string, status = "True") {
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  return { type, status, lastTransitionTime, reason: "Tested", message: "" };
}
