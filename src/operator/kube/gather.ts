/** All that a plan wants to know of one VM: from the caches, from the runners, and from memory. */
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import { objectNames } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import {
  type Attachment,
  type Observation,
  type ObservedObject,
  type OperatorSettings,
  objectKey,
} from "../reconcile/observation.ts";
import { needsNewestRecord } from "../reconcile/sight.ts";
import { type ClusterView, keptKinds } from "./cluster-view.ts";
import type { ObjectReader } from "./object-reader.ts";
import { observedObject } from "./observed.ts";
import { vmKey } from "./vm-key.ts";
import type { VmMemory } from "./vm-memory.ts";

export interface GatherSources {
  readonly view: ClusterView;
  readonly reader: ObjectReader;
  readonly memory: VmMemory;
  /** What the runner in the pod with this uid said last. */
  readonly reportOf: (podUid: string) => RunnerStatus | null;
  readonly attachmentOf: (podUid: string) => Attachment;
  readonly settings: OperatorSettings;
}

/** @throws KubernetesApiError where something can neither be seen nor be ruled out */
export async function gather(vm: FTVirtualMachine, sources: GatherSources): Promise<Observation> {
  const { view, reader, memory, reportOf, attachmentOf, settings } = sources;
  const { uid, namespace, name } = vm.metadata;
  const nowMs = Date.now();
  const objects = new Map<string, ObservedObject>(memory.foreign(uid, nowMs));
  const { key } = objectNames(name);
  const secret = await reader.secret(namespace, key, uid);
  if (secret !== null) objects.set(objectKey("Secret", key), observedObject("Secret", secret, uid));
  for (const kind of keptKinds) {
    for (const entry of view.objects[kind].ofVm(vmKey(vm))) {
      const object = observedObject(kind, entry, uid);
      objects.set(objectKey(kind, object.name), object);
    }
  }
  let record = await reader.record(vm);
  let kept = await reader.pods(vm, record);
  let nodes = await reader.nodes(kept);
  const heard = kept.map(({ value: { pod } }) => ({ ...pod, report: reportOf(pod.uid) }));
  if (record.kind === "present" && needsNewestRecord(vm, record.record, heard, nodes)) {
    record = await reader.newestRecord(vm);
    kept = await reader.pods(vm, record);
    nodes = await reader.nodes(kept);
  }
  const pods = kept.map(({ value: { pod } }) => {
    return { ...pod, report: reportOf(pod.uid), ...attachmentOf(pod.uid) };
  });
  const refusals = memory.refusals(uid, nowMs);
  return { nowMs, settings, vm, record, pods, nodes, objects, refusals };
}
