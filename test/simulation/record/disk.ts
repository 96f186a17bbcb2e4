/**
 * A disk that loses power. What was synced stays; of everything else a power failure keeps a part
 * that it chooses: each name by itself at any of its states since the directory was synced, a file
 * that was not synced cut off anywhere. POSIX promises no more than that, and less is hard to find.
 *
 * Processes use it through handles. Around each operation, the three of making a file included, a
 * handle tells its hook: there its process can be killed, or another one can come in between.
 */
import { assert } from "../../../src/shared/assert.ts";
import { type Disk, DiskError } from "../../../src/storage-arbiter/record/disk.ts";

export type DiskOperation =
  | "list"
  | "read"
  | "create"
  | "write"
  | "sync file"
  | "link"
  | "unlink"
  | "make directory"
  | "sync directory";

export type OnDiskOperation = (operation: DiskOperation, when: "before" | "after") => void;

/** The process was killed: it does nothing any more, and must not catch this. */
export class ProcessGone extends Error {
  override readonly name = "ProcessGone";
}

interface SimulatedFile {
  readonly kind: "file";
  text: string;
  synced: boolean;
}

interface Directory {
  readonly kind: "directory";
  readonly names: Map<string, Entry>;
}

type Inode = SimulatedFile | Directory;

/** What a name means, null nothing: first what is durable, last what processes see. */
type Entry = (Inode | null)[];

export class SimulatedDisk {
  /** The directory that is always there. */
  readonly root = "records";
  readonly #tree = new Tree(this.root);

  /** For one process. Making a handle anew is starting the process anew. */
  handle(onOperation: OnDiskOperation): DiskHandle {
    return new DiskHandle(this.#tree, onOperation);
  }

  /** A power failure. Every process with a handle must have been killed. */
  crash(random: () => number): void {
    keepSome(this.#tree.top, random);
  }

  /** Somebody removes what is at `path`, with all below it, and power takes nothing of it back. */
  remove(path: string): void {
    this.#tree.remove(path);
  }

  /** What would be there after a power failure that takes all it can; null: not such a file. */
  durableText(file: string): string | null {
    const inode = this.#tree.resolve(file, 0);
    return inode?.kind === "file" && inode.synced ? inode.text : null;
  }
}

/** The files and directories, each name with its states. */
class Tree {
  readonly top: Directory = { kind: "directory", names: new Map() };
  #words = 0;

  constructor(root: string) {
    this.top.names.set(root, [{ kind: "directory", names: new Map() }]);
  }

  list(directory: string): string[] {
    const { names } = this.#directory(directory);
    return [...names].filter(([, entry]) => (entry.at(-1) ?? null) !== null).map(([name]) => name);
  }

  file(path: string): SimulatedFile {
    const inode = this.resolve(path, -1);
    if (inode?.kind !== "file") throw new DiskError("missing", `no file ${path}`);
    return inode;
  }

  enter(path: string, inode: Inode): void {
    const [directory, name] = this.#place(path);
    const entry = directory.names.get(name) ?? [null];
    if ((entry.at(-1) ?? null) !== null) throw new DiskError("exists", `${path} exists`);
    entry.push(inode);
    directory.names.set(name, entry);
  }

  unlink(path: string): void {
    const [directory, name] = this.#place(path);
    const entry = directory.names.get(name);
    if (entry?.at(-1)?.kind !== "file") throw new DiskError("missing", `no file ${path}`);
    entry.push(null);
  }

  remove(path: string): void {
    const [directory, name] = this.#place(path);
    directory.names.delete(name);
  }

  syncDirectory(path: string): void {
    const { names } = this.#directory(path);
    for (const [name, entry] of names) settle(names, name, entry.at(-1) ?? null);
  }

  freshWord(): string {
    return String(++this.#words);
  }

  #place(path: string): [Directory, string] {
    const slash = path.lastIndexOf("/");
    assert(slash > 0, `${path} is not below the root`);
    return [this.#directory(path.slice(0, slash)), path.slice(slash + 1)];
  }

  #directory(path: string): Directory {
    const inode = this.resolve(path, -1);
    if (inode?.kind !== "directory") throw new DiskError("missing", `no directory ${path}`);
    return inode;
  }

  /** `state` 0: as it is durable; -1: as processes see it. */
  resolve(path: string, state: 0 | -1): Inode | null {
    let inode: Inode | null = this.top;
    for (const name of path.split("/")) {
      if (inode?.kind !== "directory") return null;
      inode = inode.names.get(name)?.at(state) ?? null;
    }
    return inode;
  }
}

/** A process's way to the disk. */
export class DiskHandle implements Disk {
  readonly #tree: Tree;
  readonly #onOperation: OnDiskOperation;
  #closed = false;

  constructor(tree: Tree, onOperation: OnDiskOperation) {
    this.#tree = tree;
    this.#onOperation = onOperation;
  }

  /** The process is killed: whatever it is in the middle of ends with ProcessGone. */
  close(): void {
    this.#closed = true;
  }

  list(directory: string): readonly string[] {
    return this.#around("list", () => this.#tree.list(directory));
  }

  readText(file: string): string {
    return this.#around("read", () => this.#tree.file(file).text);
  }

  writeNew(path: string, text: string): void {
    const file: SimulatedFile = { kind: "file", text: "", synced: false };
    this.#around("create", () => this.#tree.enter(path, file));
    this.#around("write", () => {
      file.text = text;
    });
    this.#around("sync file", () => {
      file.synced = true;
    });
  }

  link(file: string, name: string): void {
    this.#around("link", () => this.#tree.enter(name, this.#tree.file(file)));
  }

  unlink(file: string): void {
    this.#around("unlink", () => this.#tree.unlink(file));
  }

  makeDirectory(directory: string): void {
    const made: Directory = { kind: "directory", names: new Map() };
    this.#around("make directory", () => this.#tree.enter(directory, made));
  }

  syncDirectory(directory: string): void {
    this.#around("sync directory", () => this.#tree.syncDirectory(directory));
  }

  freshWord(): string {
    return this.#tree.freshWord();
  }

  #around<T>(operation: DiskOperation, work: () => T): T {
    this.#tell(operation, "before");
    const result = work();
    this.#tell(operation, "after");
    return result;
  }

  #tell(operation: DiskOperation, when: "before" | "after"): void {
    if (!this.#closed) this.#onOperation(operation, when);
    if (this.#closed) throw new ProcessGone(`killed ${when} ${operation}`);
  }
}

function settle(names: Map<string, Entry>, name: string, inode: Inode | null): void {
  if (inode === null) names.delete(name);
  else names.set(name, [inode]);
}

function keepSome({ names }: Directory, random: () => number): void {
  for (const [name, entry] of names) {
    const kept = entry[Math.floor(random() * entry.length)] ?? null;
    settle(names, name, kept);
    if (kept?.kind === "directory") keepSome(kept, random);
    if (kept?.kind !== "file" || kept.synced) continue;
    kept.text = kept.text.slice(0, Math.floor(random() * (kept.text.length + 1)));
    kept.synced = true;
  }
}
