/** Every process of the machine, with what tells where it comes from. */
import { readdirSync, readFileSync } from "node:fs";

export interface MachineProcess {
  readonly pid: number;
  readonly parent: number;
  /** In ticks since the machine started: a pid can come again, both together cannot. */
  readonly started: string;
  /** Its arguments. */
  readonly words: string;
  /** The control groups it is in. */
  readonly groups: string;
  /** Its control groups, and what its environment says of a cluster. */
  readonly marker: string;
}

const wordsMax = 300;

/** Without the kernel's own, and without those that have ended and whose parent does not care. */
export function readProcesses(): MachineProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)));
}

function readProcess(pid: number): MachineProcess[] {
  try {
    const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8");
    const stat = read("stat");
    const words = read("cmdline").replaceAll("\0", " ").trim().slice(0, wordsMax);
    if (words === "") return [];
    // See proc_pid_stat(5); the name may have spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const groups = read("cgroup");
    const environment = read("environ").split("\0");
    const ours = environment.filter((line) => line.startsWith("LOCKSTEP_CLUSTER_"));
    return [
      {
        ...{ pid, parent: Number(fields[1]), started: fields[19] ?? "", words, groups },
        marker: [groups, ...ours].join(" "),
      },
    ];
  } catch {
    // It has ended, or is another user's.
    return [];
  }
}
