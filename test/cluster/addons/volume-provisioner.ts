/**
 * Makes and deletes the directories of volumes, from the machine: also those of a node that is off,
 * whose disk is still there. A volume is told to the cluster after its directory was made, and taken
 * back after it was deleted, so an interruption leaves nothing that the next round does not finish.
 */
import { chmod, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { ApiError } from "./api-client.ts";
import {
  type Place,
  reclaimedPlace,
  type StorageClass,
  type Volume,
  type VolumeClaim,
  type VolumePaths,
  wantedVolume,
} from "./volumes.ts";
import { type ObjectSource, WatchedObjects } from "./watched-objects.ts";

export interface VolumeDirectories {
  /** On the machine, by the node's name: what that node sees at `inNodes.standard`. */
  readonly standard: Readonly<Record<string, string>>;
  /** On the machine: what every node sees at `inNodes.shared`. */
  readonly shared: string;
  readonly inNodes: VolumePaths;
}

const volumesPath = "/api/v1/persistentvolumes";

export class VolumeProvisioner {
  readonly #client: ObjectSource;
  readonly #directories: VolumeDirectories;
  readonly #claims: WatchedObjects<VolumeClaim>;
  readonly #volumes: WatchedObjects<Volume>;
  readonly #classes: WatchedObjects<StorageClass>;

  constructor(client: ObjectSource, directories: VolumeDirectories, onChange: () => void) {
    this.#client = client;
    this.#directories = directories;
    this.#claims = new WatchedObjects(client, "/api/v1/persistentvolumeclaims", onChange);
    this.#volumes = new WatchedObjects(client, volumesPath, onChange);
    this.#classes = new WatchedObjects(client, "/apis/storage.k8s.io/v1/storageclasses", onChange);
  }

  /** What it must be told of before it can reconcile. */
  get watched() {
    return [this.#claims, this.#volumes, this.#classes] as const;
  }

  /** One claim that cannot be served keeps no other from its volume. */
  async reconcile(report: (line: string) => void): Promise<void> {
    const rounds = [
      ...this.#claims.all.map((claim) => () => this.#provide(claim)),
      ...this.#volumes.all.map((volume) => () => this.#reclaim(volume)),
    ];
    for (const round of rounds) {
      try {
        const done = await round();
        if (done !== null) report(done);
      } catch (error) {
        report(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** What was done; null: nothing had to be. */
  async #provide(claim: VolumeClaim): Promise<string | null> {
    const wanted = wantedVolume(claim, this.#classes.all, this.#directories.inNodes);
    if (wanted === null || this.#volumes.has(wanted.name)) return null;
    const directory = this.#directoryOf(wanted.place, wanted.name);
    await mkdir(directory, { recursive: true });
    // Whatever user a pod runs as.
    await chmod(directory, 0o777);
    await unless(409, this.#client.request("POST", volumesPath, wanted.manifest));
    return `made ${directory} for ${claim.metadata.namespace}/${claim.metadata.name}`;
  }

  async #reclaim(volume: Volume): Promise<string | null> {
    const place = reclaimedPlace(volume);
    if (place === null) return null;
    const { name } = volume.metadata;
    const directory = this.#directoryOf(place, name);
    await rm(directory, { recursive: true, force: true });
    await unless(404, this.#client.request("DELETE", `${volumesPath}/${name}`));
    return `deleted ${directory}`;
  }

  #directoryOf(place: Place, name: string): string {
    const { standard, shared } = this.#directories;
    if (place.kind === "shared") return path.join(shared, name);
    const parent = standard[place.node];
    if (parent === undefined) throw new Error(`no directory is known for volumes of ${place.node}`);
    return path.join(parent, name);
  }
}

/** What was to be done has been done already: the watch tells of it later. */
async function unless(status: number, request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof ApiError && error.status === status)) throw error;
  }
}
