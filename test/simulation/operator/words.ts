/** Faults and actions in words, for traces and reports. */
import type { Action } from "../../../src/operator/reconcile/actions.ts";
import type { Fault } from "./scenario.ts";

export function faultInWords({ atMs, kind, ...details }: Fault): string {
  const words = Object.entries(details).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [kind, ...words].join(", ");
}

export function actionInWords(action: Action): string {
  switch (action.kind) {
    case "createPod": {
      const epoch = /"--restart-epoch","(\d+)"/.exec(JSON.stringify(action.pod))?.[1];
      const may = epoch === undefined ? "" : ` (may restart at ${epoch})`;
      return `createPod ${action.pod.metadata.name}${may}`;
    }
    case "deletePod":
      return `deletePod ${action.name}${action.force ? " by force" : ""}`;
    case "releasePod":
      return `releasePod ${action.name}`;
    case "labelPod":
      return `labelPod ${action.name} ${Object.values({ ...action.labels, ...action.annotations }).join(" ")}`;
    case "apply":
      return `apply ${action.objectKind} ${action.object.metadata.name}`;
    case "delete":
      return `delete ${action.objectKind} ${action.name}`;
    case "powerOff":
      return `powerOff ${action.pod}`;
    case "redial":
      return `redial ${action.pod}`;
    case "createKey":
    case "addFinalizer":
    case "removeFinalizer":
    case "createRecord":
      return action.kind;
  }
}
