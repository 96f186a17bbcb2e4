/** The small images: a pod's first process, a client with a shell, and a Go program alone. */
import { chmod, copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "../run-program.ts";
import { installPackages, linkMergedDirectories } from "./debian-packages.ts";
import type { ImageConfig } from "./image-layout.ts";
import { makeReadable } from "./pack-image.ts";

/** Fills a directory with an image's files and says how it is run. */
export type Fill = (root: string) => Promise<ImageConfig>;

/** The container that holds a pod's namespaces; as a stranger, as Kubernetes' own. */
export const fillPause: Fill = async (root) => {
  const debian = `${root}.debian`;
  await installPackages("extract", ["catatonit"], debian);
  await mkdir(root);
  await rename(path.join(debian, "usr/bin/catatonit"), path.join(root, "pause"));
  await rm(debian, { recursive: true });
  await makeReadable(root);
  return { entrypoint: ["/pause", "-P"], user: "65535:65535" };
};

/** Debian's busybox-static cannot resolve names, therefore the one with libraries. */
export const fillClient: Fill = async (root) => {
  await installPackages("extract", ["busybox"], root);
  await linkMergedDirectories(root);
  await linkApplets(root);
  await removeLibraryExtras(root);
  await writeUsers(root);
  for (const directory of ["proc", "sys", "root", "home", "www", "mnt"]) {
    await mkdir(path.join(root, directory), { recursive: true });
  }
  await makeReadable(root);
  return { command: ["/bin/sh"] };
};

/** One static program. */
export function fillProgram(name: string, program: string): Fill {
  return async (root) => {
    await mkdir(path.join(root, "tmp"), { recursive: true });
    await chmod(path.join(root, "tmp"), 0o1777);
    await copyProgram(program, path.join(root, name));
    await makeReadable(root);
    return { entrypoint: [`/${name}`] };
  };
}

async function linkApplets(root: string): Promise<void> {
  const applets = await run("chroot", [root, "/usr/bin/busybox", "--list"]);
  for (const applet of applets.trim().split("\n")) {
    const link = path.join(root, "usr/bin", applet);
    await symlink("busybox", link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Conversions between alphabets, and descriptions, for which nobody asks here. */
async function removeLibraryExtras(root: string): Promise<void> {
  await run("sh", ["-c", 'rm -rf "$1"/usr/lib/*/gconv "$1"/usr/share/*', "sh", root]);
}

/** Programs that ask who they are find names for root and for the two usual strangers. */
async function writeUsers(root: string): Promise<void> {
  const users = [
    ["root", 0, "/root"],
    ["user", 1000, "/"],
    ["nobody", 65534, "/"],
  ] as const;
  const lines = (line: (user: (typeof users)[number]) => string) =>
    users.map((user) => `${line(user)}\n`).join("");
  await mkdir(path.join(root, "etc"), { recursive: true });
  await writeFile(
    path.join(root, "etc/passwd"),
    lines(([name, id, home]) => `${name}:x:${id}:${id}::${home}:/bin/sh`),
  );
  await writeFile(
    path.join(root, "etc/group"),
    lines(([name, id]) => `${name}:x:${id}:`),
  );
}

async function copyProgram(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await copyFile(from, to);
  await chmod(to, 0o755);
}
