/** What runs in a cluster besides Kubernetes itself. */
import type { Layout } from "./layout.ts";
import type { ClusterRecord } from "./record.ts";

export async function installAddOns(
  _record: ClusterRecord,
  _layout: Layout,
  _step: (what: string) => void,
): Promise<void> {}
