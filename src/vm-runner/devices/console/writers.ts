/**
 * How far the typing of each console writer was taken. A writer that reconnects after a failover
 * sends again what it is not sure of; what was taken before is dropped, and nothing is taken after
 * a gap. The writers that typed last are remembered, `consoleWritersMax` of them; one that was
 * forgotten continues at the position of its next input.
 */
import type { ByteReader, ByteWriter } from "../../../shared/bytes.ts";
import { consoleWritersMax } from "../../../shared/limits.ts";
import type { ConsoleInput } from "../../replay/log-entry.ts";

const nothing = new Uint8Array(0);

export class ConsoleWriters {
  /** Position after the last byte taken; in the order in which the writers typed last. */
  readonly #positions = new Map<number, number>();

  /** The bytes of `input` that continue what was taken before, at most `room`; now they are taken. */
  take(input: ConsoleInput, room: number): Uint8Array {
    const known = this.#positions.get(input.writer) ?? input.position;
    const fresh = this.#fresh(input, known).subarray(0, room);
    const repeated = input.position + input.bytes.length <= known;
    if (fresh.length > 0 || repeated) this.#remember(input.writer, known + fresh.length);
    return fresh;
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

  #fresh(input: ConsoleInput, known: number): Uint8Array {
    if (input.position > known) return nothing;
    return input.bytes.subarray(known - input.position);
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
