/** The guest's network in a runner of the simulated world: the real service, and its connection. */
import type { Epoch, Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import { NetworkService } from "../../../src/vm-runner/network/network-service.ts";
import type { RunnerOutput } from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { IngressInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Node } from "../events.ts";
import { gatewayNode } from "./gateway.ts";
import { GatewayLink } from "./gateway-link.ts";
import type { World } from "./world.ts";

export interface GuestNetworkParts {
  readonly world: World;
  readonly node: Node;
  readonly nonce: Nonce;
  /** Runs it in the process: now, later, or never. */
  readonly inProcess: (run: () => void) => void;
  readonly onIngress: (input: IngressInput) => void;
  /** The epoch of the record as the process knows it. */
  readonly epoch: () => Epoch;
}

export class GuestNetwork {
  readonly #parts: GuestNetworkParts;
  readonly #service: NetworkService;
  /** Null where the VM has no network. */
  readonly #link: GatewayLink | null;
  /** The guest's frames for which the Output Rule had no room. */
  #unheld = 0;
  #lost = 0;

  constructor(parts: GuestNetworkParts) {
    this.#parts = parts;
    const { nonce, onIngress, world } = parts;
    this.#service = new NetworkService({ nonce, onIngress, onReport: () => {} });
    this.#link = world.outside === null ? null : this.#newLink();
  }

  remember(output: RunnerOutput): void {
    this.#service.remember(output);
  }

  release(output: RunnerOutput): void {
    this.#service.release(output);
    this.#tellLost();
  }

  goLive(epoch: Epoch, life: Epoch, announcement: Uint8Array | null): void {
    this.#service.goLive(epoch, life, announcement);
    this.#link?.hurry();
  }

  onRecord({ primary, epoch }: VmRecord): void {
    if (primary === this.#parts.nonce) this.#service.setEpoch(epoch);
    else this.#service.resign();
  }

  /** The Output Rule had no room for so many frames. */
  onDropped(frames: number): void {
    this.#unheld += frames;
    this.#tellLost();
  }

  /** The process ended; `silent`: with its computer. */
  die(silent: boolean): void {
    this.#link?.die(silent);
  }

  #newLink(): GatewayLink {
    const { world, node, nonce, inProcess, epoch } = this.#parts;
    return new GatewayLink({
      agenda: world.agenda,
      random: world.randomFor(`gateway link ${nonce}`),
      service: this.#service,
      inProcess: (run) =>
        inProcess(() => {
          run();
          this.#tellLost();
        }),
      dial: (opened, failed) => world.connect(node, gatewayNode, opened, failed),
      onClaim: (claimed) => {
        world.emit({ kind: "claimed", process: nonce, epoch: claimed, known: epoch() });
      },
    });
  }

  /** Frames that it says to have dropped, each way. */
  #tellLost(): void {
    const { ingressDropped: ingress, egressDropped } = this.#service.counters;
    const egress = egressDropped + this.#unheld;
    if (ingress + egress === this.#lost) return;
    this.#lost = ingress + egress;
    this.#parts.world.emit({ kind: "lost", process: this.#parts.nonce, ingress, egress });
  }
}
