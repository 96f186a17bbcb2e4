import dgram from "node:dgram";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";

const triesMax = 20;

/**
 * A port of 127.0.0.1 that is free for TCP and UDP now. Somebody else may take it before it is
 * used: the user of the port must cope with that.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt <= triesMax; attempt++) {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // SAFETY: it listens on a TCP port.
    const isFree = await udpIsFree(port);
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
  throw new Error(`no port of 127.0.0.1 is free for both TCP and UDP (${triesMax} tries)`);
}

function udpIsFree(port: number): Promise<boolean> {
  const socket = dgram.createSocket("udp4");
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, "127.0.0.1", () => socket.close(() => resolve(true)));
  });
}
