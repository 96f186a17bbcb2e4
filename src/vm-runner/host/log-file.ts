/**
 * A log in a file: what was recorded, and everything that another computer needs to know before it
 * replays it. Layout: docs/log-format.md. Written in order and never changed, so that a crash can
 * only cut it off; the end mark tells a whole log from one that was.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { z } from "zod";
import { crc32c } from "../../shared/crc32c.ts";
import { batchBytesMax } from "../../shared/limits.ts";
import {
  CodecError,
  decodeBatch,
  frameBytes,
  frameHeaderBytes,
  logFormatVersion,
} from "../logging-channel/codec.ts";
import type { Batch } from "../replay/executor-protocol.ts";

const magic = Buffer.from("lockstep log\n");
/** As the length of a batch it would be absurd, so it cannot be mistaken for one. */
const endMark = Buffer.from("log end\n");
const headerBytesMax = 64 * 1024;
/** Format version, length and CRC32C of the header. */
const prefixBytes = magic.length + 12;

const headerSchema = z.strictObject({
  /** Part by part, with the SHA-256 of each of the guest's files. */
  fingerprint: z.record(z.string(), z.string()),
  guest: z.strictObject({
    /** As the user named it. */
    name: z.string(),
    memoryMiB: z.int(),
  }),
  /** SHA-256 of the boot snapshot's state; null for a machine that was switched on. */
  bootSnapshot: z.string().nullable(),
});

export type LogHeader = z.infer<typeof headerSchema>;

export type LogFileErrorCode = "file" | "not a log" | "version" | "corrupt";

/** The file cannot be written, or is no log that can be read. */
export class LogFileError extends Error {
  override readonly name = "LogFileError";
  readonly code: LogFileErrorCode;

  constructor(code: LogFileErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export class LogFileWriter {
  readonly #file: string;
  readonly #fd: number;

  /** Replaces what was there. */
  constructor(file: string, header: LogHeader) {
    this.#file = file;
    this.#fd = doing(file, () => openSync(file, "w"));
    const json = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(12);
    prefix.writeUInt32LE(logFormatVersion, 0);
    prefix.writeUInt32LE(json.length, 4);
    prefix.writeUInt32LE(crc32c(json), 8);
    this.#write(Buffer.concat([magic, prefix, json]));
  }

  /** In the file when it returns, as far as this process is concerned. */
  append(batch: Batch): void {
    this.#write(batch.bytes);
  }

  finish(): void {
    this.#write(endMark);
    doing(this.#file, () => closeSync(this.#fd));
  }

  #write(bytes: Uint8Array): void {
    doing(this.#file, () => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    });
  }
}

export class LogFileReader {
  readonly header: LogHeader;
  readonly #file: string;
  readonly #fd: number;
  #offset = 0;
  #truncated = false;

  /** @throws LogFileError when it is no log of this format version. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = doing(file, () => openSync(file, "r"));
    this.header = this.#readHeader();
  }

  /** The end mark is missing: whoever recorded this was cut off. Known after the last batch. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** The whole batches, in order. @throws LogFileError "corrupt" */
  *batches(): Generator<Batch> {
    for (;;) {
      const start = this.#offset;
      const head = this.#read(frameHeaderBytes);
      if (head.equals(endMark)) {
        if (this.#read(1).length > 0) throw this.#corrupt(this.#offset - 1, "bytes follow its end");
        return;
      }
      const batch = head.length < frameHeaderBytes ? null : this.#readBatch(start, head);
      if (batch === null) {
        this.#truncated = true;
        return;
      }
      yield batch;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Null when the file ends inside the batch. */
  #readBatch(start: number, head: Buffer): Batch | null {
    try {
      const payload = this.#read(frameBytes(head) - frameHeaderBytes);
      const bytes = new Uint8Array(Buffer.concat([head, payload]));
      if (bytes.length < frameBytes(head)) return null;
      const { first, entries, timeUs } = decodeBatch(bytes);
      return { first, count: entries.length, timeUs, bytes };
    } catch (error) {
      if (error instanceof CodecError) throw this.#corrupt(start, error.message);
      throw error;
    }
  }

  #readHeader(): LogHeader {
    const prefix = this.#read(prefixBytes);
    if (!prefix.subarray(0, magic.length).equals(magic) || prefix.length < prefixBytes) {
      throw new LogFileError("not a log", `${this.#file} is not a log of Lockstep`);
    }
    const [version, length, crc] = [0, 4, 8].map((at) => prefix.readUInt32LE(magic.length + at));
    if (version !== logFormatVersion) {
      const message = `has format version ${version}; this Lockstep reads ${logFormatVersion}`;
      throw new LogFileError("version", `${this.#file} ${message}`);
    }
    if (length === undefined || length > headerBytesMax) {
      throw this.#corrupt(magic.length, `its header has ${length} bytes`);
    }
    const json = this.#read(length);
    if (json.length < length || crc32c(json) !== crc) {
      throw this.#corrupt(prefixBytes, "its header is damaged");
    }
    const header = headerSchema.safeParse(JSON.parse(json.toString()));
    if (header.success) return header.data;
    throw this.#corrupt(prefixBytes, "its header is not one of this format");
  }

  /** At most `length` bytes: fewer at the end of the file. */
  #read(length: number): Buffer {
    const bytes = Buffer.alloc(Math.min(length, batchBytesMax + headerBytesMax));
    return doing(this.#file, () => {
      let done = 0;
      while (done < bytes.length) {
        const count = readSync(this.#fd, bytes, done, bytes.length - done, this.#offset);
        if (count === 0) break;
        done += count;
        this.#offset += count;
      }
      return bytes.subarray(0, done);
    });
  }

  #corrupt(offset: number, reason: string): LogFileError {
    return new LogFileError("corrupt", `${this.#file} is damaged at byte ${offset}: ${reason}`);
  }
}

/** Names the file in whatever goes wrong with it. */
function doing<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LogFileError("file", `log file ${file}: ${reason}`);
  }
}
