/**
 * FaultTolerant is True only while both halves whom the record names live, or did a moment ago: as long as
 * Kubernetes takes to call a silent node silent, and the operator to hear of it.
 */
import type { World } from "../world/world.ts";
import { isOperatorWell, livingNamed, lookMs, type OperatorChecker } from "./checker.ts";

const toleratedMs = 60_000;

export class StatusHonesty implements OperatorChecker {
  readonly name = "status honesty";
  #wrongMs = 0;
  #beforeMs = 0;

  onLook(world: World): string | null {
    const { vm, record } = world;
    const claim = vm?.status?.conditions?.find(({ type }) => type === "FaultTolerant");
    const isPair = record?.backup != null && livingNamed(world, record).length === 2;
    const elapsedMs = world.nowMs - this.#beforeMs;
    this.#beforeMs = world.nowMs;
    if (claim?.status !== "True" || isPair) {
      this.#wrongMs = 0;
      return null;
    }
    if (isOperatorWell(world)) this.#wrongMs += Math.min(elapsedMs, lookMs);
    if (this.#wrongMs < toleratedMs) return null;
    return `FaultTolerant is True (${claim.message}), but the record (epoch ${record?.epoch}) has had no two living halves for ${this.#wrongMs} ms`;
  }
}
