/**
 * How far the typing of each console writer was taken. A writer that reconnects after a failover
 * sends again what it is not sure of; what was taken before is dropped. The writers that typed
 * last are remembered, `consoleWritersMax` of them.
 */
import type { ByteReader, ByteWriter } from "../../../shared/bytes.ts";
import { consoleWritersMax } from "../../../shared/limits.ts";
import type { ConsoleInput } from "../../replay/log-entry.ts";

export class ConsoleWriters {
  /** Position after the last byte taken; in the order in which the writers typed last. */
  readonly #positions = new Map<number, number>();

  /** The bytes of `input` that were not taken before; now they are. */
  take(input: ConsoleInput): Uint8Array {
    const known = this.position(input.writer);
    const end = input.position + input.bytes.length;
    this.#remember(input.writer, Math.max(known, end));
    return input.bytes.subarray(Math.max(0, known - input.position));
  }

  /** Position after the last byte taken from `writer`; 0 when it is not known. */
  position(writer: number): number {
    return this.#positions.get(writer) ?? 0;
  }

  save(writer: ByteWriter): void {
    writer.varint(this.#positions.size);
    for (const [id, position] of this.#positions) {
      writer.u32(id);
      writer.varint(position);
    }
  }

  restore(reader: ByteReader): void {
    this.#positions.clear();
    for (let left = reader.varint(); left > 0; left--) {
      this.#remember(reader.u32(), reader.varint());
    }
  }

  #remember(writer: number, position: number): void {
    this.#positions.delete(writer);
    this.#positions.set(writer, position);
    for (const oldest of this.#positions.keys()) {
      if (this.#positions.size <= consoleWritersMax) return;
      this.#positions.delete(oldest);
    }
  }
}
