import { expect, test } from "@jest/globals";
import {
  dnsPort,
  machineOf,
  runningOf,
  settings,
  webPort,
} from "../../../test/api/specs-machines.ts";
import type { RunningSpec } from "../api/v1alpha1.ts";
import { runningOf as begunNow } from "../reconcile/life.ts";
import { gatewayTemplateHash } from "./gateway-pod.ts";
import { argumentsVersion, gatewayArguments, runnerArguments } from "./pod-arguments.ts";

const vm = machineOf({ network: { ports: [webPort, dnsPort], readiness: { tcpPort: 8080 } } });
const runnerOf = (running: RunningSpec) =>
  runnerArguments({ vm, running, number: 3, gatewayIp: "10.96.0.7", restartEpoch: null });
const running = runningOf(vm);

test("a life that was begun before versions were noted has the arguments of version 1", () => {
  expect(running).not.toHaveProperty("arguments");
  const noted = { ...running, arguments: 1 };
  expect(runnerOf(running)).toEqual(runnerOf(noted));
  expect(gatewayArguments(vm, running)).toEqual(gatewayArguments(vm, noted));
  expect(gatewayTemplateHash(vm, running)).toBe(gatewayTemplateHash(vm, noted));
});

test("a life that begins notes the version of its arguments, and an image that knows it", () => {
  const begun = begunNow(vm.spec, settings);
  expect(begun).toMatchObject({ arguments: argumentsVersion, image: settings.image });
  expect(runnerOf(begun)).toContain("runner");
});

test("an upgrade of the operator alone leaves every gateway where it is", () => {
  // With another hash each gateway of a fleet would be replaced, and its connections broken.
  expect(gatewayTemplateHash(vm, running)).toBe("5f8b3a07de8797f9");
});

test("arguments of another version are refused, with what to do", () => {
  const newer = { ...running, life: 4, arguments: 9 };
  const sentence =
    "boot 4 with registry.example/lockstep:1 needs arguments of version 9, and this operator gives 1: " +
    "a newer operator began it; install that one again";
  expect(() => runnerOf(newer)).toThrow(sentence);
  expect(() => gatewayArguments(vm, newer)).toThrow(sentence);
});
