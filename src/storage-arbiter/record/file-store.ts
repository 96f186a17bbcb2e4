/**
 * Records on disk: one file `record.<epoch>` for each epoch, in a directory for each VM.
 *
 * The compare-and-swap is link(2): it fails when the name exists, so of all processes that want to
 * make the same epoch exactly one does. rename(2) would replace the other's file. A file is
 * complete and synced before it gets its name, and is never changed or removed while the VM
 * exists; file and directory are synced before anybody is told of it. A reader syncs too: else it
 * could act on a record that a power failure takes back, and another could be granted its epoch.
 *
 * The current record is the file with the highest epoch. If that one cannot be understood,
 * everything is refused: an older record would bring a superseded primary back to life.
 *
 * Reading lists the directory. A failover makes two files, and listing 10,000 takes about 4 ms.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import path from "node:path";
import { assert } from "../../shared/assert.ts";
import { isVmId } from "../../shared/protocol/names.ts";
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { decodeRecord, encodeRecord } from "./record-file.ts";
import type { RecordStore } from "./record-store.ts";
import { transition } from "./transition.ts";

/** The store cannot be read or written, or what it holds cannot be trusted. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: "bad VM id" | "corrupt record" | "unusable directory";

  constructor(code: StoreError["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export class FileStore implements RecordStore {
  readonly #directory: string;
  /** Highest epoch of each VM whose directory entry this process has synced. */
  readonly #synced = new Map<string, number>();

  /** `directory` must exist and survive the process; several stores may share it. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws StoreError */
  async read(vm: string): Promise<VmRecord | null> {
    return this.#explained(vm, () => this.#read(vm));
  }

  /** @throws StoreError; the request may then have been granted or not. */
  async apply(request: RecordRequest): Promise<RecordOutcome> {
    return this.#explained(request.vm, async () => {
      const outcome = await this.#try(request);
      if (outcome !== "lost the race") return outcome;
      // The winner's record is there now, so the second decision needs no file of its own.
      const second = await this.#try(request);
      assert(second !== "lost the race", `two races lost at one epoch: ${JSON.stringify(request)}`);
      return second;
    });
  }

  async #try(request: RecordRequest): Promise<RecordOutcome | "lost the race"> {
    const before = await this.#read(request.vm);
    const outcome = transition(before, request);
    if (outcome.kind === "refused" || outcome.record.epoch === before?.epoch) return outcome;
    const written = await this.#write(outcome.record);
    return written ? outcome : "lost the race";
  }

  async #read(vm: string): Promise<VmRecord | null> {
    const epoch = highestEpoch(await namesIn(this.#folder(vm)));
    if (epoch === null) return null;
    const file = this.#file(vm, epoch);
    const record = decodeRecord(await readFile(file, "utf8"));
    if (record === null || record.vm !== vm || record.epoch !== epoch) {
      throw new StoreError(
        "corrupt record",
        `${file} is not the record of ${vm} at epoch ${epoch}: it is torn, changed or misplaced; ` +
          "nothing is granted until it is restored (an older record must not be used)",
      );
    }
    await this.#syncUpTo(vm, epoch);
    return record;
  }

  /** False when somebody else has made this epoch. */
  async #write(record: VmRecord): Promise<boolean> {
    const folder = this.#folder(record.vm);
    if (record.epoch === 0) {
      await makeDirectory(folder);
      await syncDirectory(this.#directory);
    }
    const temporary = path.join(folder, `new.${process.pid}.${randomUUID()}`);
    try {
      await writeSynced(temporary, encodeRecord(record));
      await link(temporary, this.#file(record.vm, record.epoch));
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    } finally {
      await unlink(temporary).catch(() => {});
    }
    await this.#syncUpTo(record.vm, record.epoch);
    return true;
  }

  async #syncUpTo(vm: string, epoch: number): Promise<void> {
    if ((this.#synced.get(vm) ?? -1) >= epoch) return;
    await syncDirectory(this.#folder(vm));
    this.#synced.set(vm, Math.max(epoch, this.#synced.get(vm) ?? -1));
  }

  #folder(vm: string): string {
    return path.join(this.#directory, vm);
  }

  #file(vm: string, epoch: number): string {
    return path.join(this.#folder(vm), `record.${epoch}`);
  }

  async #explained<T>(vm: string, work: () => Promise<T>): Promise<T> {
    if (!isVmId(vm)) {
      throw new StoreError(
        "bad VM id",
        `"${vm}" is no VM id; expected 1 to 64 letters, digits, "-" or "_"`,
      );
    }
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) === undefined || error instanceof StoreError) throw error;
      throw new StoreError(
        "unusable directory",
        `cannot use the record store ${this.#directory}: ${String(error)}`,
        error,
      );
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Its parent must exist: the store does not make a new home for itself where a disk is missing. */
async function makeDirectory(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

function highestEpoch(names: readonly string[]): number | null {
  let highest: number | null = null;
  for (const name of names) {
    const epoch = /^record\.(0|[1-9]\d{0,14})$/.exec(name)?.[1];
    if (epoch !== undefined) highest = Math.max(highest ?? 0, Number(epoch));
  }
  return highest;
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The system's name of an operating failure, such as ENOENT. */
function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
