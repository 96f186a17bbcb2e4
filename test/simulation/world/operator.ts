/**
 * The operator, as far as it can hurt: it looks at the record now and then (what it sees may be
 * old), and when it has proof that everybody is gone whom that record names, it replaces a runner
 * that nobody names by one that may begin the VM's life anew, at the epoch that it saw. It closes
 * the gateway to the old life first. Nothing else hangs on its word being in time.
 */
import type { VmRecord } from "../../../src/shared/protocol/record.ts";
import type { Node } from "../events.ts";
import { arbiterNode } from "../record/record-call.ts";
import type { OperatorShape } from "../scenario.ts";
import type { World } from "./world.ts";

export interface OperatorParts {
  readonly world: World;
  readonly shape: OperatorShape;
  /** Computers that have, or may have, a runner. */
  readonly nodes: () => readonly Node[];
  /** Since when a computer is gone for good; null: it is not. */
  readonly goneSinceMs: (node: Node) => number | null;
}

/** A gateway is started anew after this. */
const gatewayMs = 5;

export class Operator {
  readonly #parts: OperatorParts;
  /** The record that it last acted on, whose gateway it has replaced. */
  #fencedEpoch = 0;
  /** When it first saw that the VM is off, and at which epoch. */
  #off: { readonly epoch: number; readonly sinceMs: number } | null = null;
  #dead = false;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.#lookLater();
  }

  /** Somebody has deleted the record: it is never made again. */
  resign(): void {
    this.#dead = true;
  }

  /** Whether it will bring back the VM whose record this is, once it can prove what it must. */
  willRestart({ primary, backup, epoch }: VmRecord): boolean {
    const { shape, nodes, goneSinceMs } = this.#parts;
    if (this.#dead || epoch === 0 || nodes().every((node) => goneSinceMs(node) !== null))
      return false;
    if (primary === null) return shape.againMs !== null;
    return [primary, backup].every((nonce) => nonce === null || this.#willBeProven(nonce));
  }

  #willBeProven(nonce: string): boolean {
    const { world, shape, goneSinceMs } = this.#parts;
    const runner = world.named(nonce);
    if (runner === null || runner.alive) return false;
    return shape.fenceMs !== null || goneSinceMs(runner.node) === null;
  }

  #lookLater(): void {
    const { world, shape } = this.#parts;
    world.agenda.after(shape.lookMs, () => {
      const seen = world.record;
      world.agenda.after(shape.staleMs, () => this.#act(seen));
      this.#lookLater();
    });
  }

  #act(record: VmRecord): void {
    if (this.#dead || record.epoch === 0 || !this.#isWantedOn(record)) return;
    const named = [record.primary, record.backup].filter((nonce) => nonce !== null);
    if (!named.every((nonce) => this.#isProvenGone(nonce))) return;
    this.#fence(record.epoch);
    const { nodes, shape, world } = this.#parts;
    const usable = nodes().filter((node) => this.#isUsable(node));
    const asking = usable.filter((node) => isPermitted(world.alive(node)?.state, record.epoch));
    const wanted = shape.rivals ? 2 : 1;
    const others = usable.filter((node) => !asking.includes(node));
    for (const node of others.slice(0, Math.max(0, wanted - asking.length))) {
      world.alive(node)?.crash();
      world.start(node, record.epoch);
    }
  }

  /** After the VM was switched off, the user wants it on again in a while, or never. */
  #isWantedOn({ primary, epoch }: VmRecord): boolean {
    const { world, shape } = this.#parts;
    if (primary !== null) return true;
    if (this.#off?.epoch !== epoch) this.#off = { epoch, sinceMs: world.nowMs };
    return shape.againMs !== null && world.nowMs - this.#off.sinceMs >= shape.againMs;
  }

  /** The kubelet says that the process has ended, or somebody says that its computer is off. */
  #isProvenGone(nonce: string): boolean {
    const { world, shape, goneSinceMs } = this.#parts;
    const runner = world.named(nonce);
    if (runner === null || runner.alive) return false;
    const goneMs = goneSinceMs(runner.node);
    if (goneMs === null) return world.network.passes(runner.node, arbiterNode);
    return shape.fenceMs !== null && world.nowMs - goneMs >= shape.fenceMs;
  }

  /** The old life's gateway knows numbers that the new one's frames do not have. */
  #fence(epoch: number): void {
    if (epoch <= this.#fencedEpoch) return;
    this.#fencedEpoch = epoch;
    this.#parts.world.outside?.crash(false, gatewayMs);
  }

  /** It is up, and its runner, if it has one, takes no part in any life. */
  #isUsable(node: Node): boolean {
    const { world, goneSinceMs } = this.#parts;
    if (goneSinceMs(node) !== null || !world.network.passes(node, arbiterNode)) return false;
    const runner = world.alive(node);
    return runner === null || runner.role.kind === "candidate";
  }
}

function isPermitted(
  state: { readonly config: { readonly restartEpoch: number | null } } | undefined,
  epoch: number,
): boolean {
  return state?.config.restartEpoch === epoch;
}
