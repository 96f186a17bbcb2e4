/**
 * The API server as a pod reaches it: its address is in the environment, a token and the authority that
 * signed the server's certificate are files of the pod's service account. Both files are replaced
 * while the pod runs (a token lasts an hour or so), so they are read anew for each request.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

export interface ApiServer {
  readonly host: string;
  readonly port: number;
  /** As the files are now; throws the system's error when they cannot be read. */
  readonly credentials: () => ApiCredentials;
}

interface ApiCredentials {
  /** PEM. */
  readonly ca: string;
  readonly token: string;
}

/** This process is not in a pod that may reach the API server; the message is one sentence. */
export class InClusterError extends Error {
  override readonly name = "InClusterError";
}

const usualDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

/** @throws InClusterError */
export function inClusterApi(env: Readonly<Record<string, string | undefined>>): ApiServer {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = Number(env["KUBERNETES_SERVICE_PORT"]);
  if (host === "" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InClusterError(
      "--lease needs an API server, and the environment names none: " +
        `KUBERNETES_SERVICE_HOST is "${host}" and KUBERNETES_SERVICE_PORT is ` +
        `"${env["KUBERNETES_SERVICE_PORT"] ?? ""}"; run it in a pod, or use --arbiter`,
    );
  }
  const directory = env["LOCKSTEP_SERVICE_ACCOUNT_DIR"] || usualDirectory;
  const read = (file: string) => readFileSync(path.join(directory, file), "utf8");
  const credentials = () => ({ ca: read("ca.crt"), token: read("token").trim() });
  try {
    credentials();
  } catch (error) {
    throw new InClusterError(
      `the token of the pod's service account cannot be read (${String(error)}); ` +
        `mount a projected volume with token and ca.crt at ${directory}`,
      { cause: error },
    );
  }
  return { host, port, credentials };
}
