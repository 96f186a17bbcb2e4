import { createHash } from "node:crypto";
import type { IncrementalHash } from "../../../src/vm-runner/replay/frozen-state.ts";

export function newSha256(): IncrementalHash {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => new Uint8Array(hash.digest()),
  };
}
