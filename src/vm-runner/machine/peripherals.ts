/**
 * The part of the machine's state that is ours: clock, random stream, console, personality. Its
 * form in a snapshot is here, in one order.
 */
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { ConsoleDevice } from "../devices/console/device.ts";
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
  /** Frames that the guest sent and nobody took: there is no network yet. */
  framesDropped = 0;

  readonly environment: StepEnvironment = {
    readMs: () => this.clock.readMs(),
    dateMs: () => this.clock.dateMs(),
    randomFraction: () => this.random.fraction(),
  };

  save(): Uint8Array {
    const writer = new ByteWriter(2 ** 17);
    this.clock.save(writer);
    this.random.save(writer);
    this.console.save(writer);
    this.personality.save(writer);
    writer.varint(this.framesDropped);
    return writer.finish();
  }

  restore(bytes: Uint8Array, uarts: Uarts): void {
    const reader = new ByteReader(bytes);
    this.clock.restore(reader);
    this.random.restore(reader);
    this.console.restore(reader, uarts.console);
    this.personality.restore(reader, uarts.personality);
    this.framesDropped = reader.varint();
    if (reader.remaining > 0) {
      throw new Error(`the snapshot's devices have ${reader.remaining} bytes too many`);
    }
  }
}
