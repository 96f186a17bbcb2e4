/** What a level needs before anything is started: programs, and for nodes, images. */
import type { BinaryName } from "./binaries/binary-table.ts";
import { findBinaries } from "./binaries/find-binaries.ts";
import type { BuildStep } from "./binaries/progress.ts";
import { ClusterError } from "./cluster-error.ts";
import { prepareImages } from "./images/prepare-images.ts";
import type { Level } from "./layout.ts";
import type { ImageFile } from "./node-images.ts";

export interface Parts {
  /** Where each program is. */
  readonly programs: Readonly<Record<string, string>>;
  readonly images: readonly ImageFile[];
  /** What was made just now, and how long it took. */
  readonly steps: readonly BuildStep[];
}

const api: readonly BinaryName[] = ["etcd", "kube-apiserver", "kubectl"];
const control: readonly BinaryName[] = [...api, "kube-controller-manager", "kube-scheduler"];
/** Of each level. */
const programsOf: Readonly<Record<Level, readonly BinaryName[]>> = {
  api,
  nodes: [...control, "kubelet", "kube-proxy", "coredns", "local-path-provisioner"],
  "fake-nodes": [...control, "kwok"],
};
/** Of the level nodes. */
const images = ["pause", "client", "coredns"] as const;

/** Finds, or builds once, what these levels need. @throws ClusterError that says what is missing. */
export async function prepareParts(
  levels: readonly Level[],
  say: (text: string) => void,
): Promise<Parts> {
  const names = [...new Set(levels.flatMap((level) => programsOf[level]))];
  const found = await findBinaries(names, { mayBuild: true, say });
  if (found.kind === "missing") throw new ClusterError(found.why);
  const programs = Object.fromEntries(found.paths);
  if (!levels.includes("nodes")) return { programs, images: [], steps: found.steps };
  const binaries = (name: string) => {
    const file = programs[name];
    if (file === undefined) throw new ClusterError(`${name} is not among the programs of a node`);
    return file;
  };
  const begin = performance.now();
  const prepared = await prepareImages(images, { binaries, say });
  if (prepared.kind === "missing") throw new ClusterError(prepared.why);
  const files = [...prepared.images.values()].map(({ name, file }) => ({ name, file }));
  const step = { name: "images", seconds: (performance.now() - begin) / 1000 };
  return { programs, images: files, steps: [...found.steps, step] };
}
