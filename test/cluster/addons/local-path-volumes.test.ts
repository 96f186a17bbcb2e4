/** What the provisioner is told in three places fits together. */
import { expect, test } from "@jest/globals";
import { layoutOf } from "../layout.ts";
import { provisionerArguments, provisionerConfig, volumeManifests } from "./local-path-volumes.ts";

const spec = { name: "t", number: 100, level: "nodes", nodeCount: 1, profile: "fast" } as const;
/** As the API server reads them. */
const manifests: { kind: string; metadata: { name: string }; provisioner?: string }[] = JSON.parse(
  JSON.stringify(volumeManifests("localhost/client:1")),
);
const classes = manifests.filter(({ kind }) => kind === "StorageClass");

test("every class has directories, and is served by the provisioner that is started", () => {
  const names = classes.map(({ metadata }) => metadata.name);
  expect(Object.keys(JSON.parse(provisionerConfig()).storageClassConfigs).sort()).toEqual(
    names.sort(),
  );
  const args = provisionerArguments(layoutOf(spec, "/clusters"));
  for (const { provisioner } of classes) {
    expect(args).toContain(`--provisioner-name=${provisioner}`);
  }
});
