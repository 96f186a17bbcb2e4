/** The programs that the proof drives, and whether this computer has them. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { HttpClient } from "./http-client.ts";
import type { ClientName, RealClient } from "./real-client.ts";
import { RedisClient } from "./redis-client.ts";
import { SshClient } from "./ssh-client.ts";

interface ClientProgram {
  readonly program: string;
  readonly debianPackage: string;
  readonly guestPort: number;
  /** A client that reaches the guest's port at this port of 127.0.0.1. */
  readonly make: (hostPort: number) => RealClient;
}

export const clientPrograms: Readonly<Record<ClientName, ClientProgram>> = {
  ssh: {
    ...{ program: "ssh", debianPackage: "openssh-client", guestPort: 22 },
    make: (hostPort) => new SshClient(hostPort),
  },
  http: {
    ...{ program: "curl", debianPackage: "curl", guestPort: 80 },
    make: (hostPort) => new HttpClient(hostPort),
  },
  redis: {
    ...{ program: "redis-cli", debianPackage: "redis-tools", guestPort: 6379 },
    make: (hostPort) => new RedisClient(hostPort),
  },
};

/** Why this client cannot take part; null: it can. */
export function whyMissing(client: ClientName): string | null {
  const { program, debianPackage } = clientPrograms[client];
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  if (folders.some((folder) => isExecutable(path.join(folder, program)))) return null;
  return `${program} is not installed; run: apt-get install -y ${debianPackage}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
