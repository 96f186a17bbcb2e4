import { expect, test } from "@jest/globals";
import {
  dnsPort,
  machineOf,
  runningOf,
  settings,
  webPort,
} from "../../../test/api/specs-machines.ts";
import type { FTVirtualMachine, RunningSpec } from "../api/v1alpha1.ts";
import { gatewayPod, gatewayTemplateHash } from "./gateway-pod.ts";

const published = machineOf({ network: { ports: [webPort, dnsPort] } });

function podOf(vm: FTVirtualMachine, running: RunningSpec = runningOf(vm)) {
  return gatewayPod({ vm, settings, running, number: 4, avoidNodes: [] });
}

test("a gateway is told what it publishes, in the order of its ports", () => {
  const vm = machineOf({
    network: { ports: [webPort, dnsPort], readiness: { tcpPort: 8080 } },
  });
  const { containers } = podOf(vm)["spec"] as { containers: [{ args: readonly string[] }] };
  expect(containers[0].args.join(" ").split(/ (?=--)/)).toEqual([
    "gateway",
    `--vm ${vm.metadata.uid}`,
    "--listen 0.0.0.0:7200",
    "--lease default/web",
    "--key /etc/lockstep/key",
    "--http 0.0.0.0:7101",
    "--publish 0.0.0.0:20000:8080",
    "--publish 0.0.0.0:20001:53/udp",
    "--ready-port 8080",
  ]);
});

test("a gateway says what it was made from, and is started again in its place", () => {
  const pod = podOf(published);
  expect(pod).toMatchObject({
    metadata: {
      name: "web-gateway-4",
      labels: { "lockstep.dev/vm": "web", "lockstep.dev/component": "gateway" },
      annotations: {
        "lockstep.dev/life": "1",
        "lockstep.dev/applied": gatewayTemplateHash(published, runningOf(published)),
      },
    },
    spec: { restartPolicy: "Always", serviceAccountName: "web-gateway" },
  });
  expect(pod.metadata).not.toHaveProperty("finalizers");
});

const running = runningOf(published);

test.each<[string, FTVirtualMachine, RunningSpec]>([
  ["another port is published", machineOf({ network: { ports: [webPort] } }), running],
  ["the ports have another order", machineOf({ network: { ports: [dnsPort, webPort] } }), running],
  [
    "a port leads elsewhere in the guest",
    machineOf({ network: { ports: [{ ...webPort, guestPort: 81 }, dnsPort] } }),
    running,
  ],
  [
    "the guest is ready by another port",
    machineOf({ network: { ports: [webPort, dnsPort], readiness: { tcpPort: 80 } } }),
    running,
  ],
  ["the guest was booted anew", published, { ...running, life: 2 }],
  ["the machine was started with another image", published, { ...running, image: "other" }],
])("a gateway is out of date when %s", (_, vm, now) => {
  expect(gatewayTemplateHash(vm, now)).not.toBe(gatewayTemplateHash(published, running));
});

test("a gateway stays when only the Service, the placement or the pair's timing changes", () => {
  const vm = machineOf({
    network: {
      serviceType: "NodePort",
      ports: [{ ...webPort, name: "web", port: 81, nodePort: 30081 }, dnsPort],
    },
    placement: { nodeSelector: { pool: "vm" } },
  });
  const now = { ...running, timeoutMilliseconds: 900, memory: "256Mi" };
  expect(gatewayTemplateHash(vm, now)).toBe(gatewayTemplateHash(published, running));
});

test.each([
  [500, 1.5],
  [1_000, 2],
  [10_000, 11],
])(
  "with a time-out of %i ms, a gap of %d s leaves the gateway in the Service",
  (timeoutMilliseconds, gapSeconds) => {
    const pod = podOf(published, { ...running, timeoutMilliseconds });
    const { containers } = pod["spec"] as {
      containers: [{ readinessProbe: { periodSeconds: number; failureThreshold: number } }];
    };
    const { periodSeconds, failureThreshold } = containers[0].readinessProbe;
    // The first failure may be seen at once.
    expect(periodSeconds * (failureThreshold - 1)).toBeGreaterThan(gapSeconds + 1);
  },
);

test("a guest without a network has no gateway", () => {
  expect(() => podOf(machineOf({ network: { enabled: false } }))).toThrow("no gateway");
});
