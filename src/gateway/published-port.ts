/** A port of this computer that leads to one of the guest: `[host:]hostPort:guestPort[/udp]`. */

export interface PublishedPort {
  readonly host: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
}

/** Only this computer can connect, unless the user says otherwise. */
const defaultHost = "127.0.0.1";
const pattern = /^(?:(\[[0-9A-Fa-f:]+\]|[0-9.]+):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/;

/** Null: the text says no such thing. */
export function parsePublishedPort(text: string): PublishedPort | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, host = defaultHost, hostPort, guestPort, protocol = "tcp"] = match;
  const port = { host, hostPort: Number(hostPort), guestPort: Number(guestPort) };
  if (!isPort(port.hostPort) || !isPort(port.guestPort) || !isHost(host)) return null;
  return { ...port, protocol: protocol === "udp" ? "udp" : "tcp" };
}

/** Where outsiders connect, such as "127.0.0.1:8080". */
export function localAddress({ host, hostPort }: PublishedPort): string {
  return `${host}:${hostPort}`;
}

/** As the user would write it. */
export function describePort(port: PublishedPort): string {
  const { guestPort, protocol } = port;
  return `${localAddress(port)}:${guestPort}${protocol === "udp" ? "/udp" : ""}`;
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** The syntax of an IPv4 address; of an IPv6 address the system is the judge. */
function isHost(host: string): boolean {
  if (host.startsWith("[")) return true;
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => part !== "" && Number(part) <= 255);
}
