/** Which programs of Debian the images are made with; whoever sets up a machine installs `imagePackages`. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import process from "node:process";

/** Debian's packages, for apt-get install. */
export const imagePackages = [
  "buildah",
  "debian-archive-keyring",
  "gpgv",
  "mmdebstrap",
  "util-linux",
] as const;

/** Each program with the package that has it. */
const programs = [
  ["mmdebstrap", "mmdebstrap"],
  ["buildah", "buildah"],
  ["gpgv", "gpgv"],
  ["setpriv", "util-linux"],
  ["unshare", "util-linux"],
  ["apt-get", "apt"],
  ["apt-config", "apt"],
  ["tar", "tar"],
  ["chroot", "coreutils"],
] as const;

/** What keeps this machine from making images; null: nothing. */
export function whyNoImages(
  { isRoot, has }: Machine = { isRoot: process.getuid?.() === 0, has: isOnPath },
): string | null {
  if (!isRoot) return "container images are made by root only; run it as root (sudo)";
  const missing = programs.filter(([program]) => !has(program));
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

function isOnPath(program: string): boolean {
  return `${process.env["PATH"]}:/usr/sbin:/sbin`.split(":").some((directory) => {
    try {
      accessSync(path.join(directory, program), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}
