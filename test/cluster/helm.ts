/**
 * Helm, for tests of the chart: with a cluster's administrator's kubeconfig, or with no cluster at all.
 * What its user has configured, repositories and plugins, is not seen.
 */
import path from "node:path";
import { findBinaries } from "./binaries/find-binaries.ts";
import type { BuildStep } from "./binaries/progress.ts";
import { ClusterError } from "./cluster-error.ts";
import { withoutProxies } from "./kubectl.ts";
import { type Layout, type Level, levels } from "./layout.ts";
import { markOf } from "./processes.ts";
import type { ClusterRecord } from "./record.ts";
import { attempt, type Ended, type RunOptions, run } from "./run-program.ts";

export class Helm {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(program: string, env: NodeJS.ProcessEnv) {
    this.program = program;
    this.env = env;
  }

  /** What it printed. @throws ClusterError */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(this.program, args, { ...options, env: this.env });
  }

  attempt(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return attempt(this.program, args, { ...options, env: this.env });
  }
}

export function helmOfCluster(program: string, record: ClusterRecord, layout: Layout): Helm {
  return new Helm(program, {
    ...environment(path.join(layout.directory, "helm")),
    ...markOf(record.id, "helm"),
    KUBECONFIG: layout.kubeconfig,
  });
}

/** For charts alone: it reaches no API server. It writes nothing to `folder`. */
export function helmAlone(program: string, folder: string): Helm {
  return new Helm(program, { ...environment(folder), KUBECONFIG: path.join(folder, "none") });
}

function environment(folder: string): NodeJS.ProcessEnv {
  const others = Object.entries(withoutProxies(process.env));
  return {
    ...Object.fromEntries(others.filter(([name]) => !/^(HELM|KUBE)_?/.test(name))),
    HELM_CACHE_HOME: path.join(folder, "cache"),
    HELM_CONFIG_HOME: path.join(folder, "config"),
    HELM_DATA_HOME: path.join(folder, "data"),
  };
}

/** Levels against which the chart is tested; no pod of it ever runs on fake nodes. */
const levelsWithHelm: readonly Level[] = levels.filter((level) => level !== "fake-nodes");

/** Builds it once, where tests against these levels need it. @throws ClusterError */
export async function prepareHelm(
  wanted: readonly Level[],
  say: (text: string) => void,
): Promise<readonly BuildStep[]> {
  if (!wanted.some((level) => levelsWithHelm.includes(level))) return [];
  return (await findOrBuild(say)).steps;
}

/** The program; built, if it is nowhere. @throws ClusterError */
export async function findHelm(say: (text: string) => void = () => {}): Promise<string> {
  return (await findOrBuild(say)).program;
}

async function findOrBuild(say: (text: string) => void) {
  const found = await findBinaries(["helm"], { mayBuild: true, say });
  const program = found.kind === "there" ? found.paths.get("helm") : undefined;
  if (found.kind === "there" && program !== undefined) return { program, steps: found.steps };
  const why = found.kind === "missing" ? found.why : "helm is not among what was found";
  throw new ClusterError(why.replace("the cluster needs", "tests of the chart need"));
}
