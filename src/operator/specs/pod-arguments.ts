/**
 * The arguments of runners and gateways. A life keeps the image that it was started with, also under a newer
 * operator, whose arguments that image need not know: it would refuse them, and with them every new half. So
 * a life keeps the version of its arguments as well, and what a version gives never changes once it was
 * released; a new flag is a new version beside it. Nor may a gateway's arguments change, because an open
 * connection is worth more than an upgrade (`gatewayTemplateHash`).
 */
import { assert } from "../../shared/assert.ts";
import { objectNames, podName, ports } from "../api/names.ts";
import type { FTVirtualMachine, RunningSpec } from "../api/v1alpha1.ts";
import { bootOf } from "./boot-arguments.ts";
import { keyFile } from "./pod-parts.ts";
import { memoryMiB } from "./runner-resources.ts";
import { publishedPort } from "./services.ts";

export interface RunnerArgumentsOptions {
  readonly vm: FTVirtualMachine;
  readonly running: RunningSpec;
  /** The number in the pod's name. */
  readonly number: number;
  /** Of the Service for runners; null: the guest has no network. */
  readonly gatewayIp: string | null;
  /** The record's epoch at which it may begin a new life; null: it joins, or begins the first one. */
  readonly restartEpoch: number | null;
}

interface ArgumentsVersion {
  readonly runner: (options: RunnerArgumentsOptions) => readonly string[];
  readonly gateway: (vm: FTVirtualMachine) => readonly string[];
}

/** What lives that begin now are given. */
export const argumentsVersion = 1;
const versions: ReadonlyMap<number, ArgumentsVersion> = new Map([
  [argumentsVersion, { runner: runnerArguments1, gateway: gatewayArguments1 }],
]);

/** A new half is made as soon as the pod is being deleted; it needs some seconds to be named. */
export const leaveWaitMs = 40_000;

/** The image's first process adds the program's name. */
export function runnerArguments(options: RunnerArgumentsOptions): readonly string[] {
  return versionOf(options.running).runner(options);
}

export function gatewayArguments(vm: FTVirtualMachine, running: RunningSpec): readonly string[] {
  return versionOf(running).gateway(vm);
}

function versionOf(running: RunningSpec): ArgumentsVersion {
  // Lives that were begun before versions were noted have the first one.
  const { life, image, arguments: number = 1 } = running;
  const version = versions.get(number);
  assert(
    version !== undefined,
    `boot ${life} with ${image} needs arguments of version ${number}, and this operator gives ${[...versions.keys()].join(", ")}: a newer operator began it; install that one again`,
  );
  return version;
}

function runnerArguments1(options: RunnerArgumentsOptions): readonly string[] {
  const { vm, running, number, gatewayIp, restartEpoch } = options;
  const { name, namespace, uid } = vm.metadata;
  return [
    ...["runner", "--vm", uid, "--name", name],
    ...bootOf(running.boot).args,
    ...["--memory", String(memoryMiB(running.memory))],
    ...["--listen", `0.0.0.0:${ports.channel}`],
    ...["--lease", `${namespace}/${objectNames(name).record}`],
    ...["--address", "$(POD_IP)", "--pod", podName(name, "runner", number)],
    ...["--key", keyFile],
    ...["--http", `0.0.0.0:${ports.http}`],
    ...["--control", `0.0.0.0:${ports.control}`],
    ...(gatewayIp === null ? [] : ["--gateway", `${gatewayIp}:${ports.gateway}`]),
    ...["--heartbeat", String(running.heartbeatMilliseconds)],
    ...["--timeout", String(running.timeoutMilliseconds)],
    ...["--lag-target", String(running.lagTargetMilliseconds)],
    ...["--leave-wait", String(leaveWaitMs)],
    ...(restartEpoch === null ? [] : ["--restart-epoch", String(restartEpoch)]),
  ];
}

function gatewayArguments1(vm: FTVirtualMachine): readonly string[] {
  const { name, namespace, uid } = vm.metadata;
  const { ports: published, readiness } = vm.spec.network;
  return [
    ...["gateway", "--vm", uid],
    ...["--listen", `0.0.0.0:${ports.gateway}`],
    ...["--lease", `${namespace}/${objectNames(name).record}`],
    ...["--key", keyFile],
    ...["--http", `0.0.0.0:${ports.http}`],
    ...published.flatMap(({ guestPort, protocol }, index) => {
      const kind = protocol === "UDP" ? "/udp" : "";
      return ["--publish", `0.0.0.0:${publishedPort(index)}:${guestPort}${kind}`];
    }),
    ...(readiness === undefined ? [] : ["--ready-port", String(readiness.tcpPort)]),
  ];
}
