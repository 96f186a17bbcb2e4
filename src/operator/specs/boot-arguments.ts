/** What a runner boots, as arguments and as the volume from which a user's own kernel is read. */
import { assert } from "../../shared/assert.ts";
import type { BootSpec, KernelSpec } from "../api/v1alpha1-spec.ts";
import { literal } from "./pod-parts.ts";

const guestDirectory = "/guest";

/**
 * The kinds of volume that a kernel may be in. They are picked here as well as by the API's rule: whoever may
 * make a VM may not by that read a node's file system, or Secrets (as an initial RAM disk, which a kernel of
 * their own prints). Of any other kind nothing is left, and the runner finds no kernel.
 */
const volumeSources: readonly string[] = [
  "configMap",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
];

export interface Boot {
  readonly args: readonly string[];
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
}

export function bootOf({ guest, kernel }: BootSpec): Boot {
  if (kernel !== undefined) return bootOfKernel(kernel);
  assert(guest !== undefined, "the API's rule lets through only a guest or a kernel");
  return { args: ["--guest", guest], volumes: [], mounts: [] };
}

function bootOfKernel({ volume, path, initrd, commandLine }: KernelSpec): Boot {
  const inVolume = (file: string) => literal(`${guestDirectory}/${file}`);
  const source = Object.entries(volume).filter(([kind]) => volumeSources.includes(kind));
  return {
    args: [
      ...["--kernel", inVolume(path), "--initrd", inVolume(initrd)],
      ...["--command-line", literal(commandLine)],
    ],
    volumes: [{ ...Object.fromEntries(source), name: "guest" }],
    mounts: [{ name: "guest", mountPath: guestDirectory, readOnly: true }],
  };
}
