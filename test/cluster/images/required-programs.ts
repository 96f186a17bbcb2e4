/** Which programs of Debian the images are made with, and what to install for them. */
import process from "node:process";
import { howToInstall, isThere, type Required } from "../debian-programs.ts";

/** With which Debian signs its packages. */
export const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Each program, or file, with Debian's package that has it. */
export const imagePrograms: readonly Required[] = [
  ["mmdebstrap", "mmdebstrap"],
  ["buildah", "buildah"],
  ["gpgv", "gpgv"],
  ["setpriv", "util-linux"],
  ["unshare", "util-linux"],
  ["apt-get", "apt"],
  ["apt-config", "apt"],
  ["tar", "tar"],
  ["chroot", "coreutils"],
  [keyring, "debian-archive-keyring"],
];

/** What keeps this machine from making images; null: nothing. */
export function whyNoImages(
  { isRoot, has }: Machine = { isRoot: process.getuid?.() === 0, has: isThere },
): string | null {
  if (!isRoot) return "container images are made by root only; run it as root (sudo)";
  const missing = imagePrograms.filter(([program]) => !has(program));
  if (missing.length === 0) return null;
  if (missing.some(([, from]) => from === "apt")) {
    return "container images are made of Debian's packages, and this machine has no apt; use Debian 12 or newer";
  }
  const names = missing.map(([program]) => program).join(", ");
  return `container images cannot be made without ${names}; ${howToInstall(missing)}`;
}

interface Machine {
  readonly isRoot: boolean;
  readonly has: (program: string) => boolean;
}
