import { expect, test } from "@jest/globals";
import { machineOf, runningOf, settings } from "../../../test/api/specs-machines.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import { type RunnerPodOptions, runnerPod } from "./runner-pod.ts";

interface Container {
  readonly args: readonly string[];
  readonly volumeMounts: readonly { readonly name: string }[];
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly volumes: readonly object[];
}

const gatewayIp = "10.0.0.7";

function podOf(vm: FTVirtualMachine, more: Partial<RunnerPodOptions> = {}) {
  const running = runningOf(vm);
  return runnerPod({
    ...{ vm, settings, running, number: 3, gatewayIp, avoidNodes: [], restartEpoch: null },
    ...more,
  });
}

function specOf(vm: FTVirtualMachine, more: Partial<RunnerPodOptions> = {}): PodSpec {
  return podOf(vm, more)["spec"] as PodSpec;
}

/** The arguments as one would type them. */
function argumentsOf(vm: FTVirtualMachine, more: Partial<RunnerPodOptions> = {}): string[] {
  return specOf(vm, more)
    .containers[0].args.join(" ")
    .split(/ (?=--)/);
}

const uid = machineOf().metadata.uid;
const always = [
  "--listen 0.0.0.0:7100",
  "--lease default/web",
  "--address $(POD_IP)",
  "--pod web-runner-3",
  "--key /etc/lockstep/key",
  "--http 0.0.0.0:7101",
  "--control 0.0.0.0:7102",
];
const times = ["--heartbeat 50", "--timeout 500", "--lag-target 20", "--leave-wait 40000"];

test("a runner is told all that it needs", () => {
  expect(argumentsOf(machineOf())).toEqual([
    "runner",
    `--vm ${uid}`,
    "--name web",
    "--guest default",
    "--memory 128",
    ...always,
    "--gateway 10.0.0.7:7200",
    ...times,
  ]);
});

test("a runner of a guest with no network, that may begin a new life, is told so", () => {
  const vm = machineOf({ memory: "1Gi", boot: { guest: "tiny" }, network: { enabled: false } });
  expect(argumentsOf(vm, { gatewayIp: null, restartEpoch: 12 })).toEqual([
    "runner",
    `--vm ${uid}`,
    "--name web",
    "--guest tiny",
    "--memory 1024",
    ...always,
    ...times,
    "--restart-epoch 12",
  ]);
});

const kernel = {
  volume: { image: { reference: "registry.example/kernel:1" } },
  path: "boot/bzImage",
  initrd: "boot/$(POD_IP).img",
  commandLine: "console=ttyS0 cost=$$5 $(POD_IP)",
};

test("a kernel of the user's is read from its volume, and no text of theirs is a variable", () => {
  const vm = machineOf({ boot: { kernel } });
  const [{ args, volumeMounts }] = specOf(vm).containers;
  expect(args).not.toContain("--guest");
  const at = args.indexOf("--kernel");
  expect(args.slice(at, at + 6)).toEqual([
    ...["--kernel", "/guest/boot/bzImage", "--initrd", "/guest/boot/$$(POD_IP).img"],
    ...["--command-line", "console=ttyS0 cost=$$$$5 $$(POD_IP)"],
  ]);
  expect(specOf(vm).volumes).toContainEqual({ ...kernel.volume, name: "guest" });
  expect(volumeMounts).toContainEqual({ name: "guest", mountPath: "/guest", readOnly: true });
});

test.each<[string, object]>([
  ["the node's file system", { hostPath: { path: "/etc" }, name: "key" }],
  ["a Secret", { secret: { secretName: "other" } }],
  ["a Secret among other sources", { projected: { sources: [{ secret: { name: "other" } }] } }],
  ["what a driver hands out", { csi: { driver: "secrets.example" } }],
])("%s never gets into a pod as the volume of a kernel", (_, volume) => {
  const { volumes } = specOf(machineOf({ boot: { kernel: { ...kernel, volume } } }));
  expect(volumes.at(-1)).toEqual({ name: "guest" });
});

test("the runner is what the machine was started with, whatever the spec and the operator say now", () => {
  const vm = machineOf({ memory: "512Mi", boot: { guest: "tiny" } });
  const running = { ...runningOf(machineOf()), timeoutMilliseconds: 900 };
  const pod = podOf(vm, { running });
  const args = argumentsOf(vm, { running });
  expect(args).toEqual(expect.arrayContaining(["--memory 128", "--guest default"]));
  expect(args).toContain("--timeout 900");
  expect(pod).toMatchObject({ spec: { containers: [{ image: "registry.example/lockstep:1" }] } });
});

test("a runner's process is started once, and its object outlives it", () => {
  expect(podOf(machineOf())).toMatchObject({
    metadata: {
      name: "web-runner-3",
      labels: { "lockstep.dev/vm": "web", "lockstep.dev/component": "runner" },
      annotations: { "lockstep.dev/life": "1" },
      finalizers: ["lockstep.dev/runner"],
    },
    spec: { restartPolicy: "Never", hostname: "web-runner-3", terminationGracePeriodSeconds: 60 },
  });
});

test("a runner has no privilege, and nothing to write to but /tmp", () => {
  expect(podOf(machineOf())).toMatchObject({
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      serviceAccountName: "web-runner",
      securityContext: { runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532 },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  });
  const mounts = specOf(machineOf()).containers[0].volumeMounts;
  expect(mounts.filter((mount) => !("readOnly" in mount)).map(({ name }) => name)).toEqual(["tmp"]);
});
