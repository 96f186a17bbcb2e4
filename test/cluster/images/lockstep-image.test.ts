/** What goes between buildah and us. */
import { expect, test } from "@jest/globals";
import { onlyManifest, snapshotOf, ulimitsFrom } from "./lockstep-image.ts";

const limits = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96365                unlimited            processes
Max open files            1024                 524288               files
Max pending signals       5                    6                    signals
`;

test("a build's limits are this process's own", () => {
  expect(ulimitsFrom(limits)).toEqual(["--ulimit=nofile=1024:524288", "--ulimit=nproc=96365:-1"]);
});

test("a limit that is not told is left to the builder", () => {
  expect(ulimitsFrom("")).toEqual([]);
});

test("of the one image in an index its manifest is taken", () => {
  const manifest = { digest: "sha256:0" };
  expect(onlyManifest({ manifests: [manifest] })).toBe(manifest);
});

test.each([[{}], [null], [{ manifests: [] }], [{ manifests: [{}, {}] }], [{ manifests: "x" }]])(
  "an index without exactly one image is refused: %j",
  (index) => {
    expect(() => onlyManifest(index)).toThrow("without exactly one image");
  },
);

test("the kept boot is the file that lockstep prepare names", () => {
  expect(snapshotOf('{"ready":true,"snapshot":"/cache/boot/1.snapshot"}\n')).toBe(
    "/cache/boot/1.snapshot",
  );
});

test.each([[""], ["booted"], ['{"ready":true,"snapshot":null}']])(
  "a boot that was not kept is said: %j",
  (printed) => {
    expect(() => snapshotOf(printed)).toThrow("the guest's boot was not kept");
  },
);
