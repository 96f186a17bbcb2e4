/**
 * Permission to begin a new life is only given for an epoch whose runners are all dead, and no life begins
 * while anybody lives whom the record named before, or of a guest that switched itself off.
 */

import type { VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { SimPod } from "../world/api-server.ts";
import type { Landing } from "../world/requests.ts";
import { argumentsOf } from "../world/runner.ts";
import type { World } from "../world/world.ts";
import { livingNamed, type OperatorChecker, type RecordChange } from "./checker.ts";

export class SingleLife implements OperatorChecker {
  readonly name = "single life";
  readonly #records = new Map<string, VmRecord>();

  onRecord({ request, before, after }: RecordChange, world: World): string | null {
    this.#records.set(`${after.vm} ${after.epoch}`, after);
    if (request.kind !== "restart" || before === null) return null;
    const offMs = world.guestOffEpochs.get(`${before.vm} ${before.epoch}`);
    const isOff = before.primary === null && offMs !== undefined && world.stoppedMs < offMs;
    if (isOff)
      return `a new life begins at epoch ${after.epoch}, although the guest switched itself off`;
    const [living] = livingNamed(world, before);
    if (living === undefined) return null;
    return `a new life begins at epoch ${after.epoch} while ${living.nonce}, whom epoch ${before.epoch} names, lives on ${living.computer.name}`;
  }

  onLanding({ action, vm }: Landing, world: World): string | null {
    if (action.kind !== "createPod") return null;
    // SAFETY: the pod as the operator builds it has what a SimPod has of its spec.
    const pod = action.pod as unknown as SimPod;
    const { restartEpoch } = argumentsOf(pod.spec.containers[0]?.args ?? []);
    if (restartEpoch === null) return null;
    const record = this.#records.get(`${vm.metadata.uid} ${restartEpoch}`);
    if (record === undefined)
      return `${pod.metadata.name} may restart at epoch ${restartEpoch}, which never was`;
    const [living] = livingNamed(world, record);
    if (living === undefined) return null;
    return `${pod.metadata.name} may restart at epoch ${restartEpoch}, while ${living.nonce}, whom it names, lives on ${living.computer.name}`;
  }
}
