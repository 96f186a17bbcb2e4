/**
 * The addresses of simulated pods, on this machine for as long as the benchmark runs: whoever asks a runner
 * how it is reaches this process.
 */
import { spawnSync } from "node:child_process";

/** Of pods on the first 255 simulated nodes (RFC 6598; test/cluster/fake-nodes/fake-node.ts). */
const podNetwork = "100.64.0.0/16";
export const nodesMax = 255;

/** Call what it returns at the end. @throws Error */
export function makePodsLocal(): () => void {
  const said = route("add");
  if (said !== "") {
    throw new Error(
      `the simulated pods' network ${podNetwork} cannot be made this machine's own: ${said}; ` +
        "be root, and let no other benchmark of this name run",
    );
  }
  const remove = () => void route("del");
  process.once("exit", remove);
  return () => {
    process.off("exit", remove);
    remove();
  };
}

/** What went wrong; empty: nothing. */
function route(verb: "add" | "del"): string {
  const args = ["route", verb, "local", podNetwork, "dev", "lo"];
  const { error, status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (error !== undefined) return `${error.message}; install iproute2`;
  return status === 0 ? "" : stderr.trim();
}
