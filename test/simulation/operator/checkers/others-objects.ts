/** What belongs to others is never touched. */
import type { World } from "../world/world.ts";
import type { OperatorChecker } from "./checker.ts";

export class OthersObjects implements OperatorChecker {
  readonly name = "others' objects";

  onLook({ foreign, api }: World): string | null {
    for (const [name, { kind, version }] of foreign) {
      const row = api.get(kind, name);
      if (row?.metadata.resourceVersion === version) continue;
      return `${kind} ${name} belongs to somebody else and was ${row === null ? "deleted" : "changed"}`;
    }
    return null;
  }
}
