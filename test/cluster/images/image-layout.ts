/**
 * The documents of an OCI image layout: a function of the layers' sizes and digests, of nothing
 * else, so that equal layers make equal images. (Of Debian's programs only buildah writes such a
 * layout from a directory, and it copies every file twice first: four small documents are less.)
 */
import { createHash } from "node:crypto";

/** A file known by its content. */
export interface Blob {
  readonly sha256: string;
  readonly size: number;
}

/** What an image says about how it is run. */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** Numeric, "uid:gid"; none: root. */
  readonly user?: string;
}

export interface ImageDescription {
  readonly reference: string;
  readonly architecture: Architecture;
  readonly config: ImageConfig;
  /** Uncompressed tars: what is imported on the same machine need not be small. */
  readonly layers: readonly Blob[];
}

/** As Debian, Go and OCI call it. */
export type Architecture = "amd64" | "arm64";

/** The documents of an image: `blobs` belong into blobs/sha256/, `index` is index.json. */
export interface ImageDocuments {
  readonly blobs: readonly { readonly sha256: string; readonly text: string }[];
  readonly index: string;
}

export const layoutMarker = '{"imageLayoutVersion":"1.0.0"}';
const indexMediaType = "application/vnd.oci.image.index.v1+json";
const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function imageDocuments(description: ImageDescription): ImageDocuments {
  const { reference, architecture, layers } = description;
  const config = document(configOf(description));
  const manifest = document({
    schemaVersion: 2,
    mediaType: manifestMediaType,
    config: descriptor("application/vnd.oci.image.config.v1+json", config.blob),
    layers: layers.map((layer) => descriptor("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  const index = indexOf(reference, {
    ...descriptor(manifestMediaType, manifest.blob),
    platform: { os: "linux", architecture },
  });
  return {
    blobs: [config, manifest].map(({ text, blob }) => ({ sha256: blob.sha256, text })),
    index,
  };
}

/** The index of a layout with one image; its name is where containerd looks for it, and where buildah does. */
export function indexOf(reference: string, manifest: object): string {
  const annotations = {
    "io.containerd.image.name": reference,
    "org.opencontainers.image.ref.name": reference,
  };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: indexMediaType,
    manifests: [{ ...manifest, annotations }],
  });
}

function configOf({ architecture, config, layers }: ImageDescription): object {
  return {
    created: "1970-01-01T00:00:00Z",
    architecture,
    os: "linux",
    config: {
      Env: [`PATH=${defaultPath}`],
      ...(config.entrypoint && { Entrypoint: config.entrypoint }),
      ...(config.command && { Cmd: config.command }),
      ...(config.user && { User: config.user }),
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
  };
}

function descriptor(mediaType: string, { sha256, size }: Blob): object {
  return { mediaType, digest: `sha256:${sha256}`, size };
}

function document(content: object): { readonly text: string; readonly blob: Blob } {
  const text = JSON.stringify(content);
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { text, blob: { sha256, size: Buffer.byteLength(text) } };
}
