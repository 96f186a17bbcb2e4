/** Which programs of Debian the images are made with, and what to install for them. */
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** With which Debian signs its packages. */
export const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Each program, or file, with Debian's package that has it. */
export const imagePrograms = [
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
] as const;

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
  const packages = [...new Set(missing.map(([, from]) => from))].join(" ");
  return `container images cannot be made without ${names}; run: apt-get install ${packages}`;
}

interface Machine {
  readonly isRoot: boolean;
  readonly has: (program: string) => boolean;
}

function isThere(program: string): boolean {
  if (path.isAbsolute(program)) return existsSync(program);
  return `${process.env["PATH"]}:/usr/sbin:/sbin`.split(":").some((directory) => {
    try {
      accessSync(path.join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
