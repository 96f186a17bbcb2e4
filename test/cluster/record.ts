/**
 * The records of all clusters on this machine. A record is written, whole, before anything of its
 * cluster is made, and deleted when the last of it is gone: so whatever was killed at whatever
 * moment, `down` finds by it what to remove, and touches nothing else.
 *
 *   ROOT/records/NAME.json   the record of the cluster NAME
 *   ROOT/clusters/NAME/      its files
 *
 * Whoever decides about a name, a number or the machine's limits holds the lock of the directory that
 * ROOT is in: so ROOT can go with the last cluster.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { z } from "zod";
import { ClusterError, codeOf } from "./cluster-error.ts";
import { type ClusterSpec, type Layout, layoutOf, levels, nameError } from "./layout.ts";
import { withMachineLock } from "./machine-lock.ts";
import { profiles } from "./timings.ts";

const schema = z.strictObject({
  format: z.literal(1),
  /** Of this one life of the name: what its processes carry. */
  id: z.uuid(),
  spec: z.strictObject({
    name: z.string(),
    number: z.int(),
    level: z.enum(levels),
    nodeCount: z.int(),
    profile: z.enum(profiles),
  }),
  /** Where its programs are, so that a later command needs not look for them. */
  programs: z.record(z.string(), z.string()),
  /** The machine's limits as they were before the first cluster raised them. */
  limitsBefore: z.record(z.string(), z.number()),
  /** Nodes whose cable is cut: a node that is switched on again does not mend it. */
  unplugged: z.array(z.string()),
});

export type ClusterRecord = z.infer<typeof schema>;

const recordEnd = ".json";
const draftEnd = ".new";

export class Records {
  readonly root: string;

  constructor(root = defaultRoot()) {
    this.root = root;
  }

  layoutOf(record: ClusterRecord): Layout {
    return layoutOf(record.spec, path.join(this.root, "clusters"));
  }

  /** @throws ClusterError when there is none of this name, or it cannot be read. */
  async get(name: string): Promise<ClusterRecord> {
    const record = await this.find(name);
    if (record !== null) return record;
    const names = (await this.names()).join(", ");
    throw new ClusterError(
      `there is no cluster "${name}" (${names === "" ? "nor any other" : `there is: ${names}`}); ` +
        `start it with: npm run cluster -- up --name ${name}`,
    );
  }

  /** Reads no other record than that. Null: there is none. @throws ClusterError when it cannot be read. */
  async find(name: string): Promise<ClusterRecord | null> {
    return nameError(name) === null ? await readRecord(this.#file(name)) : null;
  }

  /** The record of this very cluster, as it is now. @throws ClusterError when its life is over. */
  async again({ id, spec: { name } }: ClusterRecord): Promise<ClusterRecord> {
    const record = await this.get(name);
    if (record.id === id) return record;
    throw new ClusterError(
      `cluster ${name} was ended meanwhile, and another of this name was started`,
    );
  }

  /** Of every cluster, whether its record can be read or not. */
  async names(): Promise<string[]> {
    const files = await namesIn(path.join(this.root, "records"));
    const records = files.filter((file) => file.endsWith(recordEnd)).sort();
    return records.map((file) => file.slice(0, -recordEnd.length));
  }

  /** @throws ClusterError when one of them cannot be read. */
  async all(): Promise<ClusterRecord[]> {
    const files = (await this.names()).map((name) => this.#file(name));
    const records = await Promise.all(files.map((file) => readRecord(file)));
    return records.filter((record) => record !== null);
  }

  /**
   * Takes the name, and the first number that `choose` offers and no other cluster has.
   * @throws ClusterError when the name is in use, or every number is.
   */
  async create(
    spec: Omit<ClusterSpec, "number">,
    choose: (taken: ReadonlySet<number>) => Promise<number>,
    programs: Readonly<Record<string, string>> = {},
  ): Promise<ClusterRecord> {
    return await this.exclusively(async () => {
      const others = await this.all();
      if (others.some((other) => other.spec.name === spec.name)) {
        throw new ClusterError(
          `a cluster "${spec.name}" is there already, or was left by a run that was killed; remove it ` +
            `with: npm run cluster -- down --name ${spec.name}; or choose another --name`,
        );
      }
      const number = await choose(new Set(others.map((other) => other.spec.number)));
      const record: ClusterRecord = {
        ...{ format: 1, id: randomUUID(), spec: { ...spec, number } },
        ...{ programs: { ...programs }, limitsBefore: {}, unplugged: [] },
      };
      await this.#write(record);
      return record;
    });
  }

  /**
   * Replaces the record of this cluster by what it is now; its caller holds the lock.
   * @throws ClusterError when it was deleted: then it must not come back.
   */
  async update(record: ClusterRecord): Promise<void> {
    await this.again(record);
    await this.#write(record);
  }

  async #write(record: ClusterRecord): Promise<void> {
    await makePlace(path.join(this.root, "records"));
    const file = this.#file(record.spec.name);
    await writeFile(`${file}${draftEnd}`, JSON.stringify(record));
    await rename(`${file}${draftEnd}`, file);
  }

  /** The last thing of a cluster's end; its caller holds the lock. */
  async delete(record: ClusterRecord): Promise<void> {
    await rm(this.#file(record.spec.name), { force: true });
    await this.#removeDrafts();
    for (const folder of ["clusters", "records", ""]) {
      // Those that are not empty belong to other clusters.
      await rmdir(path.join(this.root, folder)).catch(() => {});
    }
  }

  /** Whoever was killed while it wrote a record left a draft; that of a cluster without a record is old. */
  async #removeDrafts(): Promise<void> {
    const folder = path.join(this.root, "records");
    const files = await namesIn(folder);
    const drafts = files.filter((file) => {
      return file.endsWith(draftEnd) && !files.includes(file.slice(0, -draftEnd.length));
    });
    for (const draft of drafts) await rm(path.join(folder, draft), { force: true });
  }

  /** Nobody else decides about a name, a number or the machine's limits while `work` does. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const around = path.dirname(this.root);
    await makePlace(around);
    return await withMachineLock(around, work);
  }

  #file(name: string): string {
    return path.join(this.root, "records", `${name}${recordEnd}`);
  }
}

/** Makes a directory of those that clusters are kept in. @throws ClusterError */
export async function makePlace(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new ClusterError(
      `${directory}, where clusters are kept, cannot be made (${codeOf(error)}); make it, or set ` +
        "LOCKSTEP_CLUSTER_STATE to a directory of yours",
    );
  }
}

/** LOCKSTEP_CLUSTER_STATE, or the place of the system or of the user. */
function defaultRoot(): string {
  const named = process.env["LOCKSTEP_CLUSTER_STATE"];
  if (named !== undefined && named !== "") return path.resolve(named);
  if (process.getuid?.() === 0) return "/var/lib/lockstep-cluster";
  const state = process.env["XDG_STATE_HOME"] || path.join(os.homedir(), ".local", "state");
  return path.join(state, "lockstep-cluster");
}

/** Null: it has just been deleted. @throws ClusterError when it is no record. */
async function readRecord(file: string): Promise<ClusterRecord | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    const record = schema.parse(JSON.parse(text));
    if (`${record.spec.name}${recordEnd}` !== path.basename(file))
      throw new Error("another's record");
    return record;
  } catch {
    throw new ClusterError(
      `${file} is not the record of a cluster that this version can read; end that cluster with the ` +
        "version that started it, or (after a look at what it names) delete the file",
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}
