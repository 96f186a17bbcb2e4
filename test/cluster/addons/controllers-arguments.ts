/** The command line of the process that enforces NetworkPolicies and makes volumes. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Layout, sharedDirectoryInNode } from "../layout.ts";
import type { VolumeDirectories } from "./volume-provisioner.ts";

export interface ControllersConfiguration {
  /** The cluster's id: its processes, and by them its nodes, are known by it. */
  readonly id: string;
  readonly url: string;
  /** Files of an administrator's certificate. */
  readonly pki: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly directories: VolumeDirectories;
}

/** Where a node sees its own volumes: all of its /var is the directory `var` of its disk. */
const volumesInNode = "/var/lib/lockstep-volumes";

/** After the program, which is Node: this project runs its TypeScript as it is. */
export function controllersArguments(id: string, layout: Layout): [string, string] {
  const { apiUrl: url, pki, nodes, shared } = layout;
  const standard = nodes.map(({ name, directory }) => {
    return [name, path.join(directory, volumesInNode)] as const;
  });
  const configuration: ControllersConfiguration = {
    ...{ id, url },
    pki: {
      ca: path.join(pki, "ca.crt"),
      certificate: path.join(pki, "admin.crt"),
      key: path.join(pki, "admin.key"),
    },
    directories: {
      standard: Object.fromEntries(standard),
      shared,
      inNodes: { standard: volumesInNode, shared: sharedDirectoryInNode },
    },
  };
  const script = fileURLToPath(new URL("./controllers-main.ts", import.meta.url));
  return [script, JSON.stringify(configuration)];
}
