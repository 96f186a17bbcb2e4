/**
 * The part of the machine's state that is ours: clock, random stream, console, personality,
 * network. Its form in a snapshot is here, in one order.
 */
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { crc32c } from "../../shared/crc32c.ts";
import { ConsoleDevice } from "../devices/console/device.ts";
import { NetworkDevice } from "../devices/network/device.ts";
import { PersonalityDevice } from "../devices/personality.ts";
import type { Uart } from "../devices/serial-port.ts";
import type { StepEnvironment } from "./global-overrides.ts";
import { RandomStream } from "./random.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** The serial ports of one instance of v86. */
export interface Uarts {
  readonly console: Uart;
  readonly personality: Uart;
}

export class Peripherals {
  readonly clock = new VirtualClock();
  readonly random = new RandomStream();
  readonly console = new ConsoleDevice();
  readonly personality = new PersonalityDevice();
  readonly network = new NetworkDevice();

  readonly environment: StepEnvironment = {
    readMs: () => this.clock.readMs(),
    dateMs: () => this.clock.dateMs(),
    randomFraction: () => this.random.fraction(),
  };

  /** CRC32C over everything that ever left the machine. */
  get outputsChecksum(): number {
    const network = new ByteWriter(4);
    network.u32(this.network.checksum);
    return crc32c(network.finish(), this.console.checksum);
  }

  save(): Uint8Array {
    const writer = new ByteWriter(2 ** 17);
    this.clock.save(writer);
    this.random.save(writer);
    this.console.save(writer);
    this.personality.save(writer);
    this.network.save(writer);
    return writer.finish();
  }

  restore(bytes: Uint8Array, uarts: Uarts): void {
    const reader = new ByteReader(bytes);
    this.clock.restore(reader);
    this.random.restore(reader);
    this.console.restore(reader, uarts.console);
    this.personality.restore(reader, uarts.personality);
    this.network.restore(reader);
    if (reader.remaining > 0) {
      throw new Error(`the snapshot's devices have ${reader.remaining} bytes too many`);
    }
  }
}
