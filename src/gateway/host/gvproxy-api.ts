/** What gvproxy is asked for over HTTP, on a socket of its own. */
import http from "node:http";
import net from "node:net";
import { GatewayError } from "../gateway-error.ts";
import { guestNetwork } from "../guest-frames.ts";
import { describePort, localAddress, type PublishedPort } from "../published-port.ts";

const requestTimeoutMs = 5_000;
const answerBytesMax = 64 * 1024;

/** Whether it serves yet. */
export async function isServing(socketPath: string): Promise<boolean> {
  try {
    const { status } = await exchange(socketPath, "GET", "/services/forwarder/all");
    return status === 200;
  } catch {
    return false;
  }
}

/** @throws GatewayError when the port cannot be had. */
export async function publish(socketPath: string, port: PublishedPort): Promise<void> {
  const body = JSON.stringify({
    local: localAddress(port),
    remote: `${guestNetwork.guestIp}:${port.guestPort}`,
    protocol: port.protocol,
  });
  const { status, text } = await exchange(socketPath, "POST", "/services/forwarder/expose", body);
  if (status === 200) return;
  const where = `port ${port.hostPort}/${port.protocol} on ${port.host}`;
  if (text.includes("already in use") || text.includes("already running")) {
    throw new GatewayError(
      "address in use",
      `${where} cannot be published: another process has it; choose another port or end that process`,
    );
  }
  throw new GatewayError(
    "bad configuration",
    `${where} cannot be published (${describePort(port)}): ${text.trim()}; choose another one`,
  );
}

/**
 * Asks gvproxy to connect to a TCP port of the guest. It takes the connection before it has tried,
 * so only `onClosed` tells anything: that it could not, or that the guest ended it.
 */
export function openTunnel(socketPath: string, port: number, onClosed: () => void): net.Socket {
  const socket = net.connect(socketPath);
  const target = `/tunnel?ip=${guestNetwork.guestIp}&port=${port}`;
  socket.write(`POST ${target} HTTP/1.1\r\nHost: gvproxy\r\n\r\n`);
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  socket.once("close", onClosed);
  socket.resume();
  return socket;
}

function exchange(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  body?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const signal = AbortSignal.timeout(requestTimeoutMs);
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", reject);
      response.on("data", (piece: string) => {
        text += piece;
        if (text.length > answerBytesMax) request.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}
