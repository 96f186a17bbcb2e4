/**
 * Connects a stock v86 to gvproxy as anybody would: every frame goes over the QEMU socket (4 bytes of
 * length, big-endian, and the frame) at once, and every frame that comes is given to the card at once.
 */
import { createConnection } from "node:net";

/** What stock v86's bus does for the first network card. */
export interface CardBus {
  readonly bus: { send(event: "net0-receive", frame: Uint8Array): void };
  add_listener(event: "net0-send", listener: (frame: Uint8Array) => void): void;
}

const lengthBytes = 4;

/** Ends the process when the connection ends: a guest without its network measures nothing. */
export function connectCard(emulator: CardBus, socketPath: string): void {
  const socket = createConnection(socketPath);
  socket.on("close", () => process.exit(1));
  emulator.add_listener("net0-send", (frame) => {
    const message = Buffer.allocUnsafe(lengthBytes + frame.length);
    message.writeUInt32BE(frame.length);
    message.set(frame, lengthBytes);
    socket.write(message);
  });
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    while (rest.length - at >= lengthBytes) {
      const end = at + lengthBytes + rest.readUInt32BE(at);
      if (rest.length < end) break;
      emulator.bus.send("net0-receive", rest.subarray(at + lengthBytes, end));
      at = end;
    }
    rest = rest.subarray(at);
  });
}
