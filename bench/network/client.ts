/** A TCP client of a published port. */
import net from "node:net";

const timeoutMs = 60_000;
const host = "127.0.0.1";

/** Resolves when the connection stands; what the guest's program does with it shows later. */
export async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect({ host, port, noDelay: true });
  await happens(socket, "connect", `nobody serves port ${port}`);
  return socket;
}

export function nextBytes(socket: net.Socket): Promise<Buffer> {
  return happens(socket, "data", "the guest sent nothing");
}

export function drained(socket: net.Socket): Promise<unknown> {
  return happens(socket, "drain", "the guest read nothing");
}

/** Rejects with `otherwise` when the connection ends first, or takes too long. */
function happens(
  socket: net.Socket,
  event: "connect" | "data" | "drain",
  otherwise: string,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (bytes: Buffer) => {
      clean();
      resolve(bytes);
    };
    const fail = (error?: Error | boolean) => {
      clean();
      const why = error instanceof Error ? error.message : "the connection was closed";
      reject(new Error(`${otherwise}: ${why}`));
    };
    const timer = setTimeout(() => fail(new Error(`not within ${timeoutMs} ms`)), timeoutMs);
    const clean = () => {
      clearTimeout(timer);
      socket.off(event, done).off("close", fail).off("error", fail);
    };
    socket.on(event, done).on("close", fail).on("error", fail);
  });
}
