/** Ports for tests: a runner needs the same number for TCP (its channel) and UDP (heartbeats). */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";

const triesMax = 50;
const given = new Set<number>();

/** A port of 127.0.0.1 that nobody has now and that was given to nobody in this process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < triesMax; attempt++) {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const isFree = !given.has(port) && (await udpIsFree(port));
    server.close();
    await once(server, "close");
    if (!isFree) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port of 127.0.0.1 is free for both TCP and UDP after ${triesMax} tries`);
}

function udpIsFree(port: number): Promise<boolean> {
  const socket = dgram.createSocket("udp4");
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, "127.0.0.1", () => socket.close(() => resolve(true)));
  });
}
