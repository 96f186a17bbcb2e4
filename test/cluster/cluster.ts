/**
 * A real Kubernetes cluster on this machine: the verbs of `npm run cluster`, for tests. Every verb
 * reads the cluster's record and looks at what is there, so that several processes may use one cluster.
 */
import { until } from "../../bench/waiting.ts";
import { installAddOns } from "./add-ons.ts";
import { findHierarchies, freezeGroup } from "./cgroups.ts";
import { ClusterError } from "./cluster-error.ts";
import { alone } from "./cluster-lock.ts";
import { apiReady, startProgram, stopProgram } from "./control-plane.ts";
import { endCluster, takeDown } from "./down.ts";
import { loseFakeNode, restoreFakeNode } from "./fake-nodes/node-loss.ts";
import { fromPeers, peerNetworks, setFault, shareOf } from "./faults.ts";
import { findHelm, type Helm, helmOfCluster } from "./helm.ts";
import { Interrupted, letFail, unlessInterrupted } from "./interruption.ts";
import { Kubectl } from "./kubectl.ts";
import {
  fakeNodesMax,
  type Layout,
  type Level,
  type NodeLayout,
  nameError,
  nodesMax,
  ports,
} from "./layout.ts";
import { chooseNumber, isFree, setCable } from "./network.ts";
import {
  firstProcess,
  insideNode,
  requireFirstProcess,
  startKubelet,
  stopKubelet,
  switchOff,
  switchOn,
} from "./node.ts";
import { loadImage } from "./node-images.ts";
import { prepareParts } from "./parts.ts";
import { type ClusterRecord, Records } from "./record.ts";
import { requireMachine } from "./requirements.ts";
import { type RunOptions, run } from "./run-program.ts";
import { type ClusterStatus, statusOf } from "./status.ts";
import type { Profile } from "./timings.ts";
import { bringUp } from "./up.ts";

export interface UpOptions {
  readonly name?: string;
  readonly level?: Level;
  readonly nodes?: number;
  readonly profile?: Profile;
  /** Told what is being done, a line each. */
  readonly say?: (text: string) => void;
  readonly records?: Records;
  /** Ends it before it is up; what there is by then is taken down again. */
  readonly signal?: AbortSignal;
}

const usualNodes: Readonly<Record<Level, number>> = { api: 0, nodes: 3, "fake-nodes": 50 };

export class Cluster {
  readonly name: string;
  readonly #records: Records;
  /** As it was then: of what can change, only the newest one on disk counts. */
  readonly #opened: ClusterRecord;

  private constructor(records: Records, record: ClusterRecord) {
    this.#records = records;
    this.#opened = record;
    this.name = record.spec.name;
  }

  /**
   * Starts a cluster; resolves when it can be used: the API server answers, and with nodes, all of
   * them are Ready and names are resolved. What fails half-way is taken down again. @throws ClusterError
   */
  static async up(options: UpOptions = {}): Promise<Cluster> {
    const { name = "lockstep", level = "nodes", profile = "fast", say = () => {} } = options;
    const nodeCount = options.nodes ?? usualNodes[level];
    const records = options.records ?? new Records();
    requireSensible(name, level, nodeCount);
    await requireMachine(level, nodeCount, records.root);
    const parts = await unlessInterrupted(options.signal, prepareParts([level], say));
    const step = stepTeller(say);
    const choose = (taken: ReadonlySet<number>) => {
      return chooseNumber({ taken, port: ports.etcd, hasNodes: level === "nodes" });
    };
    const spec = { name, level, nodeCount, profile };
    const record = await records.create(spec, choose, parts.programs);
    const work = async () => {
      await bringUp({ records, record, images: parts.images, step });
      await installAddOns(record, records.layoutOf(record), step);
    };
    await alone(record, async (endWanted) => {
      // Somebody may have ended it before the lock was ours.
      await records.again(record);
      const signal = AbortSignal.any([endWanted, ...(options.signal ? [options.signal] : [])]);
      const working = work();
      try {
        await unlessInterrupted(signal, working);
      } catch (error) {
        await letFail(record.id, working);
        const newest = await records.find(name);
        // Only somebody by hand deletes the record of a cluster whose lock we hold.
        if (newest === null || newest.id === record.id) await takeDown(records, newest ?? record);
        // That its programs have ended is not the reason, then.
        if (endWanted.aborted && !(error instanceof Interrupted)) throw endWanted.reason;
        throw error;
      }
    });
    return new Cluster(records, record);
  }

  /** One that was started before, by whoever. @throws ClusterError when there is none. */
  static async open(name: string, records = new Records()): Promise<Cluster> {
    return new Cluster(records, await records.get(name));
  }

  /** Ends everything of it, in whatever state it is; nothing of it is left. @throws ClusterError */
  async down(): Promise<void> {
    await endCluster(this.#records, await this.#record());
  }

  async status(): Promise<ClusterStatus> {
    return await statusOf(this.#records, await this.#record());
  }

  async layout(): Promise<Layout> {
    return this.#records.layoutOf(await this.#record());
  }

  async kubectl(): Promise<Kubectl> {
    const record = await this.#record();
    return new Kubectl(record, this.#records.layoutOf(record));
  }

  /** As the cluster's administrator. It is built now if it is nowhere. @throws ClusterError */
  async helm(say?: (text: string) => void): Promise<Helm> {
    const record = await this.#record();
    return helmOfCluster(await findHelm(say), record, this.#records.layoutOf(record));
  }

  /** Boots a node, or a fake one, that is switched off. It is Ready some seconds later. */
  async powerOn(name: string): Promise<void> {
    await this.#alone(async () => {
      if (await this.#isFake()) return await restoreFakeNode(await this.kubectl(), name);
      const { record, layout, node } = await this.#node(name);
      await switchOn(record, layout, node);
    });
  }

  /** Everything on the node is gone at once, as without power; its disk stays. A fake node falls silent. */
  async powerOff(name: string): Promise<void> {
    await this.#alone(async () => {
      if (await this.#isFake()) return await loseFakeNode(await this.kubectl(), name);
      const { record, node } = await this.#node(name);
      await switchOff(record, node);
    });
  }

  /**
   * Cuts the node off: from everything (its cable is pulled out), or only `from` some other nodes, or
   * from "api", the control plane. What runs on it runs on.
   */
  async partition(name: string, from: readonly string[] = []): Promise<void> {
    await this.#alone(async () => {
      const { record, layout, node } = await this.#node(name);
      if (from.length === 0) return await this.#plug(node, "down");
      const networks = from.flatMap((peer) => peerNetworks(layout, peer));
      await setFault(requireFirstProcess(record, node), fromPeers(networks));
    });
  }

  /** Drops this share of the packets that go over the node's cable, either way. */
  async lose(name: string, percent: number): Promise<void> {
    if (!(percent >= 0.1 && percent <= 99.9)) {
      throw new ClusterError(`a share of ${percent} % cannot be lost; give 0.1 to 99.9`);
    }
    await this.#alone(async () => {
      const { record, node } = await this.#node(name);
      await setFault(requireFirstProcess(record, node), shareOf(percent));
    });
  }

  /** Ends what `partition` and `lose` began. */
  async heal(name: string): Promise<void> {
    await this.#alone(async () => {
      const { record, node } = await this.#node(name);
      const first = firstProcess(record, node);
      if (first !== null) await setFault(first, null);
      await this.#plug(node, "up");
    });
  }

  /** Stops every process of the node, all at the same moment; none of them notices. */
  async freeze(name: string): Promise<void> {
    const { record, node } = await this.#node(name);
    requireFirstProcess(record, node);
    await freezeGroup(findHierarchies(), node.cgroup, true);
  }

  async thaw(name: string): Promise<void> {
    const { node } = await this.#node(name);
    await freezeGroup(findHierarchies(), node.cgroup, false);
  }

  /** Ends kubelet as a crash would, and keeps it stopped; the containers run on. */
  async kubeletStop(name: string): Promise<void> {
    const { record, node } = await this.#node(name);
    await stopKubelet(record, node);
  }

  async kubeletStart(name: string): Promise<void> {
    const { record, node } = await this.#node(name);
    await startKubelet(record, node);
  }

  /** Ends the API server as a crash would; the nodes and their containers run on. */
  async apiStop(): Promise<void> {
    await stopProgram(await this.#record(), "kube-apiserver");
  }

  async apiStart(): Promise<void> {
    const record = await this.#record();
    const layout = this.#records.layoutOf(record);
    await this.#alone(async () => {
      if ((await this.status()).api !== "stopped") return;
      // Whoever killed it did not wait until it was over.
      const free = async () => ((await isFree(layout.apiAddress, layout.apiPort)) ? true : null);
      await until("the API server's port to be free", free);
      await startProgram(record, layout, "kube-apiserver");
    });
    await apiReady(record, layout);
  }

  /** Gives every node the images of this tar; a node that is off gets them when it is switched on. */
  async load(file: string): Promise<void> {
    const record = await this.#record();
    const layout = this.#records.layoutOf(record);
    if (layout.nodes.length === 0) {
      throw new ClusterError(`cluster ${this.name} has no nodes to load an image into`);
    }
    await loadImage(record, layout, file);
  }

  /** What a program printed that ran inside the node. @throws ClusterError when it fails. */
  async exec(name: string, command: readonly string[], options: RunOptions = {}): Promise<string> {
    const [program, args] = await this.execCommand(name, command);
    return await run(program, args, options);
  }

  /** How to run a program inside the node. */
  async execCommand(name: string, command: readonly string[]): Promise<[string, string[]]> {
    const { record, node } = await this.#node(name);
    return insideNode(requireFirstProcess(record, node), command);
  }

  /** What changes the cluster waits for its turn. `work` looks at the cluster only then. */
  async #alone(work: () => Promise<void>): Promise<void> {
    await alone(await this.#record(), work);
  }

  async #record(): Promise<ClusterRecord> {
    return await this.#records.again(this.#opened);
  }

  async #isFake(): Promise<boolean> {
    return (await this.#record()).spec.level === "fake-nodes";
  }

  /** @throws ClusterError when the cluster has no such node. */
  async #node(name: string): Promise<{ record: ClusterRecord; layout: Layout; node: NodeLayout }> {
    const record = await this.#record();
    const layout = this.#records.layoutOf(record);
    const node = layout.nodes.find((other) => other.name === name);
    if (node !== undefined) return { record, layout, node };
    const names = layout.nodes.map((other) => other.name).join(", ") || "none";
    throw new ClusterError(`cluster ${this.name} has no node "${name}"; its nodes: ${names}`);
  }

  async #plug(node: NodeLayout, state: "up" | "down"): Promise<void> {
    const record = await this.#records.exclusively(async () => {
      const current = await this.#record();
      const others = current.unplugged.filter((name) => name !== node.name);
      const unplugged = state === "up" ? others : [...others, node.name];
      const changed = { ...current, unplugged };
      await this.#records.update(changed);
      return changed;
    });
    if (firstProcess(record, node) !== null) await setCable(node, state);
  }
}

function requireSensible(name: string, level: Level, nodeCount: number): void {
  const wrong = nameError(name);
  if (wrong !== null) throw new ClusterError(wrong);
  if (level === "api" && nodeCount === 0) return;
  if (level === "api")
    throw new ClusterError("a cluster of level api has no nodes; leave out --nodes");
  const max = level === "nodes" ? nodesMax : fakeNodesMax;
  if (Number.isInteger(nodeCount) && nodeCount >= 1 && nodeCount <= max) return;
  throw new ClusterError(
    `a cluster cannot have ${nodeCount} nodes; give a number from 1 to ${max}`,
  );
}

/** Says what is done, with the seconds since the beginning. */
function stepTeller(say: (text: string) => void): (what: string) => void {
  const begin = performance.now();
  return (what) => say(`${((performance.now() - begin) / 1000).toFixed(1).padStart(5)} s  ${what}`);
}
