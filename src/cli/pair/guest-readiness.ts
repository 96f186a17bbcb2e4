/**
 * Is the guest ready? For a TCP port the gateway says so, which tries to connect. For a text on the
 * console this has a console reader of its own, which stays with whichever half is the primary and
 * goes on at the byte at which it stopped; so no failover hides the text or splits it.
 */

import { TextWatch } from "../console/text-watch.ts";
import { ConsoleClient, type ConsoleOptions } from "../console-client.ts";
import { describeReady, type ReadyCondition } from "../ready-condition.ts";
import type { GuestView, NetworkView } from "./events.ts";

export interface ReadinessOptions {
  readonly condition: ReadyCondition;
  readonly console: Pick<ConsoleOptions, "vm" | "key" | "endpoints">;
}

export class GuestReadiness {
  readonly #options: ReadinessOptions;
  #reader: ConsoleClient | null;
  #ready = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    const { condition } = options;
    this.#reader = condition.kind === "console" ? this.#readConsole(condition.text) : null;
  }

  get view(): GuestView {
    return { waitsFor: describeReady(this.#options.condition), ready: this.#ready };
  }

  /** What the gateway says of the port. One that is gone reaches nobody; one that is slow has its say. */
  onNetwork(network: NetworkView | null): void {
    if (this.#options.condition.kind !== "tcp") return;
    if (network === null || network.pid === null) this.#ready = false;
    else this.#ready = network.status?.guestReady ?? this.#ready;
  }

  close(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  #readConsole(text: string): ConsoleClient {
    const watch = new TextWatch(new TextEncoder().encode(text));
    return new ConsoleClient({
      ...this.#options.console,
      position: null,
      onMissed: () => watch.interrupt(),
      onOutput: (bytes) => {
        watch.push(bytes);
        if (!watch.seen) return;
        // What is printed once stays printed.
        this.close();
        this.#ready = true;
      },
    });
  }
}
