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
 * Everything is done in one go, without giving way to other work: a grant stands in the path of a
 * take-over, and the two syncs are all of its cost that cannot be avoided.
 *
 * Reading lists the directory. A failover makes two files, and listing 10,000 takes about 6 ms.
 */
import { assert } from "../../shared/assert.ts";
import { isVmId } from "../../shared/protocol/names.ts";
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";
import { type Disk, DiskError } from "./disk.ts";
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
  readonly #disk: Disk;
  /** Highest epoch of each VM whose directory entry this process has synced. */
  readonly #synced = new Map<string, number>();

  /** `directory` must exist and survive the process; several stores may share it. */
  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** @throws StoreError */
  read(vm: string): VmRecord | null {
    return explained(this.#directory, vm, () => this.#read(vm));
  }

  /** @throws StoreError; the request may then have been granted or not. */
  apply(request: RecordRequest): RecordOutcome {
    return explained(this.#directory, request.vm, () => {
      const outcome = this.#try(request);
      if (outcome !== "lost the race") return outcome;
      // The winner's record is there now, so the second decision needs no file of its own.
      const second = this.#try(request);
      assert(second !== "lost the race", `two races lost at one epoch: ${JSON.stringify(request)}`);
      return second;
    });
  }

  #try(request: RecordRequest): RecordOutcome | "lost the race" {
    const before = this.#read(request.vm);
    const outcome = transition(before, request);
    if (outcome.kind === "refused" || outcome.record.epoch === before?.epoch) return outcome;
    const written = this.#write(outcome.record);
    return written ? outcome : "lost the race";
  }

  #read(vm: string): VmRecord | null {
    const epoch = highestEpoch(this.#namesIn(this.#folder(vm)));
    if (epoch === null) return null;
    const file = this.#file(vm, epoch);
    const record = decodeRecord(this.#disk.readText(file));
    if (record === null || record.vm !== vm || record.epoch !== epoch) {
      throw new StoreError(
        "corrupt record",
        `${file} is not the record of ${vm} at epoch ${epoch}: it is torn, changed or misplaced; ` +
          "nothing is granted until it is restored (an older record must not be used)",
      );
    }
    this.#syncUpTo(vm, epoch);
    return record;
  }

  /** False when somebody else has made this epoch. */
  #write(record: VmRecord): boolean {
    const folder = this.#folder(record.vm);
    if (record.epoch === 0) {
      this.#makeFolder(folder);
      this.#disk.syncDirectory(this.#directory);
    }
    const temporary = `${folder}/new.${this.#disk.freshWord()}`;
    try {
      this.#disk.writeNew(temporary, encodeRecord(record));
      this.#disk.link(temporary, this.#file(record.vm, record.epoch));
    } catch (error) {
      if (isDiskError(error, "exists")) return false;
      throw error;
    } finally {
      this.#removeIfThere(temporary);
    }
    this.#syncUpTo(record.vm, record.epoch);
    return true;
  }

  #syncUpTo(vm: string, epoch: number): void {
    if ((this.#synced.get(vm) ?? -1) >= epoch) return;
    this.#disk.syncDirectory(this.#folder(vm));
    this.#synced.set(vm, Math.max(epoch, this.#synced.get(vm) ?? -1));
  }

  #folder(vm: string): string {
    return `${this.#directory}/${vm}`;
  }

  #file(vm: string, epoch: number): string {
    return `${this.#folder(vm)}/record.${epoch}`;
  }

  #namesIn(folder: string): readonly string[] {
    try {
      return this.#disk.list(folder);
    } catch (error) {
      if (isDiskError(error, "missing")) return [];
      throw error;
    }
  }

  /** Its parent must exist: the store makes no new home for itself where a disk is missing. */
  #makeFolder(folder: string): void {
    try {
      this.#disk.makeDirectory(folder);
    } catch (error) {
      if (!isDiskError(error, "exists")) throw error;
    }
  }

  #removeIfThere(file: string): void {
    try {
      this.#disk.unlink(file);
    } catch (error) {
      if (!isDiskError(error, "missing")) throw error;
    }
  }
}

/** Runs `work`; what the disk refuses becomes a StoreError. */
function explained<T>(directory: string, vm: string, work: () => T): T {
  if (!isVmId(vm)) {
    throw new StoreError(
      "bad VM id",
      `"${vm}" is no VM id; expected 1 to 64 letters, digits, "-" or "_"`,
    );
  }
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new StoreError(
      "unusable directory",
      `cannot use the record store ${directory}: ${error.message}`,
      error,
    );
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

function isDiskError(error: unknown, code: DiskError["code"]): boolean {
  return error instanceof DiskError && error.code === code;
}
