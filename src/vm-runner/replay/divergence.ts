/**
 * Divergence: the state here is not the one that the log's checksums were made of. It is always
 * fail-stop. The text says what differs, since that is where the search for the cause begins.
 */
import { equalBytes } from "../../shared/bytes.ts";
import { type RegisterChecks, registerNames } from "../machine/machine.ts";
import type { StepIndex } from "./log-entry.ts";

/** What differs between two states of the CPU and their outputs so far; null: nothing. */
export function compareRegisters(here: RegisterChecks, logged: RegisterChecks): string | null {
  const different = registerNames.filter((_, i) => here.folded[i] !== logged.folded[i]);
  if (different.length > 0) return `registers differ: ${different.join(", ")}`;
  if (here.all === logged.all) return null;
  return "the CPU's state differs, in none of the named registers";
}

/** Hashes that are remembered of either side. */
const rememberedMax = 4;

/**
 * Brings together the hashes of whole states at snapshots, whichever is known first: our own one
 * is made in the background, the logged one comes in a later entry.
 */
export class StateHashes {
  readonly #own = new Map<StepIndex, Uint8Array>();
  readonly #logged = new Map<StepIndex, Uint8Array>();

  /** @returns what differs, or null. */
  addOwn(snapshot: StepIndex, hash: Uint8Array): string | null {
    remember(this.#own, snapshot, hash);
    return this.#compare(snapshot);
  }

  /** @returns what differs, or null. */
  addLogged(snapshot: StepIndex, hash: Uint8Array): string | null {
    remember(this.#logged, snapshot, hash);
    return this.#compare(snapshot);
  }

  #compare(snapshot: StepIndex): string | null {
    const own = this.#own.get(snapshot);
    const logged = this.#logged.get(snapshot);
    if (own === undefined || logged === undefined || equalBytes(own, logged)) return null;
    return `the whole state at the snapshot of entry ${snapshot} differs`;
  }
}

function remember(hashes: Map<StepIndex, Uint8Array>, snapshot: StepIndex, hash: Uint8Array) {
  hashes.set(snapshot, hash);
  for (const oldest of hashes.keys()) {
    if (hashes.size <= rememberedMax) return;
    hashes.delete(oldest);
  }
}
