/**
 * One at a time changes a cluster. The lock is a socket in Linux's abstract namespace, named by the
 * cluster's id: the kernel takes it from whoever dies, it has no file that could be left, and the next
 * cluster of the same name has another one. `down` need not wait for an `up` that takes long or hangs: it
 * knocks at the socket, and the holder hears that the end of the cluster is wanted.
 */
import net from "node:net";
import { until } from "../../bench/waiting.ts";
import { ClusterError, codeOf } from "./cluster-error.ts";
import type { ClusterRecord } from "./record.ts";

const waitMs = 120_000;

/**
 * Does `work` while nobody else does such work on this cluster. Its signal says that somebody wants to end
 * the cluster. `knock`: we are that one; it is done again and again while another one holds the lock.
 * @throws ClusterError when somebody else holds the lock for longer than the bound.
 */
export async function alone<T>(
  { id, spec }: ClusterRecord,
  work: (endWanted: AbortSignal) => Promise<T>,
  knock?: () => void,
): Promise<T> {
  const socket = `\0lockstep-cluster-${id}`;
  const endWanted = new AbortController();
  const deadline = performance.now() + waitMs;
  const take = async () => {
    const held = await listen(socket, () => {
      endWanted.abort(new ClusterError(`cluster ${spec.name} was ended by another command`));
    });
    if (held !== null) return held;
    if (performance.now() > deadline) {
      throw new ClusterError(
        `another command has worked on cluster ${spec.name} for ${waitMs / 1000} s; wait for it, or end it`,
      );
    }
    if (knock !== undefined) {
      const visitor = net.connect(socket, () => visitor.destroy());
      visitor.on("error", () => {});
      knock();
    }
    return null;
  };
  const held = await until(`cluster ${spec.name}`, take, { everyMs: 50, timeoutMs: 2 * waitMs });
  try {
    return await work(endWanted.signal);
  } finally {
    await new Promise<void>((resolve) => held.close(() => resolve()));
  }
}

/** Null: somebody else has it. */
function listen(socket: string, onKnock: () => void): Promise<net.Server | null> {
  const server = net.createServer((visitor) => {
    visitor.on("error", () => {}).destroy();
    onKnock();
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (codeOf(error) === "EADDRINUSE") resolve(null);
      else reject(error);
    });
    server.listen(socket, () => resolve(server));
  });
}
