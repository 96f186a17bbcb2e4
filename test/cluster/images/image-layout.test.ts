/** Images are a function of their layers, and are found under their names. */
import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { type ImageDescription, imageDocuments, indexOf } from "./image-layout.ts";

const layers = ["a", "b"].map((letter, i) => ({ sha256: letter.repeat(64), size: i + 1 }));
const description: ImageDescription = {
  reference: "localhost/thing:1",
  architecture: "arm64",
  config: { entrypoint: ["/thing", "ä"], user: "1:2" },
  layers,
};

function parsed(given: ImageDescription = description) {
  const { blobs, index } = imageDocuments(given);
  const byDigest = new Map(blobs.map(({ sha256, text }) => [`sha256:${sha256}`, text]));
  const [descriptor, ...others] = JSON.parse(index).manifests;
  const manifest = JSON.parse(byDigest.get(descriptor.digest) ?? "null");
  const config = JSON.parse(byDigest.get(manifest.config.digest) ?? "null");
  return { blobs, byDigest, descriptor, others, manifest, config };
}

test("each document is named by the hash of its text, and its size is its bytes", () => {
  const { blobs, byDigest, descriptor, manifest } = parsed();
  for (const { sha256, text } of blobs) {
    expect(createHash("sha256").update(text).digest("hex")).toBe(sha256);
  }
  for (const { digest, size } of [descriptor, manifest.config]) {
    expect(Buffer.byteLength(byDigest.get(digest) ?? "")).toBe(size);
  }
});

test("one image is in the index, under the name by which containerd and buildah look for it", () => {
  const { descriptor, others } = parsed();
  expect(others).toEqual([]);
  expect(descriptor.platform).toEqual({ os: "linux", architecture: "arm64" });
  expect(descriptor.annotations).toEqual({
    "io.containerd.image.name": "localhost/thing:1",
    "org.opencontainers.image.ref.name": "localhost/thing:1",
  });
});

test("the layers keep their order, and are what they are unpacked to", () => {
  const { manifest, config } = parsed();
  const digests = layers.map(({ sha256 }) => `sha256:${sha256}`);
  const named = manifest.layers.map(({ digest }: { digest: string }) => digest);
  expect(named).toEqual(digests);
  expect(manifest.layers[1].size).toBe(2);
  expect(config.rootfs).toEqual({ type: "layers", diff_ids: digests });
});

test("an image says how it is run, and nothing of what it was not told", () => {
  const { config } = parsed();
  expect(config.config).toEqual({
    Env: [expect.stringMatching(/^PATH=.*\/usr\/bin/)],
    Entrypoint: ["/thing", "ä"],
    User: "1:2",
  });
});

test("a manifest that another program wrote gets our names in place of its own", () => {
  const written = { digest: "sha256:0", annotations: { "org.opencontainers.image.ref.name": "x" } };
  const [manifest] = JSON.parse(indexOf("localhost/thing:1", written)).manifests;
  expect(manifest.digest).toBe("sha256:0");
  expect(manifest.annotations["org.opencontainers.image.ref.name"]).toBe("localhost/thing:1");
});
