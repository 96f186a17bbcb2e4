/**
 * A machine that was deleted goes, whatever became of its nodes, as long as the operator is well; and not
 * before its processes, where they can be heard of.
 */
import type { World } from "../world/world.ts";
import { isOperatorWell, lookMs, type OperatorChecker } from "./checker.ts";

/** The order to switch off, a node that must first be called silent, and a pod's grace twice. */
const boundMs = 240_000;

export class DeletionEnds implements OperatorChecker {
  readonly name = "deletion ends";
  #uid: string | null = null;
  #waitedMs = 0;

  onLook(world: World): string | null {
    const { vm } = world;
    const uid = vm?.metadata.deletionTimestamp === undefined ? null : vm.metadata.uid;
    if (uid !== this.#uid) {
      this.#waitedMs = 0;
      const left = world.runners.find(({ args, computer }) => {
        return args.vm === this.#uid && computer.healthy && computer.powered;
      });
      if (left !== undefined) {
        return `the deleted machine is gone, and ${left.nonce} of it lives on ${left.computer.name}`;
      }
    }
    this.#uid = uid;
    if (uid === null) return null;
    if (isOperatorWell(world)) this.#waitedMs += lookMs;
    if (this.#waitedMs < boundMs) return null;
    return `the machine was deleted ${this.#waitedMs} ms ago and is still there: ${JSON.stringify(world.vm?.status?.phase)}`;
  }
}
