/** What the go command is asked and what is understood of its answers, with a script in its place. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "../../../bench/waiting.ts";
import { isThere } from "../debian-programs.ts";
import type { BuildGroup } from "./binary-table.ts";
import { shortage } from "./disk-room.ts";
import { buildPrograms, modulesOf } from "./go-build.ts";
import { findGo, goEnvironment, isComplaint, isPackageLine } from "./go-command.ts";

let folder: string;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "go-build-"));
  said = [];
  await mkdir(path.join(folder, "tools", "some"), { recursive: true });
  await writeFile(path.join(folder, "tools", "some", "go.sum"), "example.test/a v1.0.0 h1:x=\n");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const group: BuildGroup = {
  name: "some",
  module: "some",
  packages: new Map([["etcd", "./etcd"]]),
  stamps: [],
};

/** Answers as Go does: two packages must be compiled, one only linked, one not even that. */
const goAnswers = `
case $1 in
env) echo "$FOLDER/mod"; echo "$FOLDER/build"; echo ;;
list)
  echo "go: downloading example.test/a v1.0.0" >&2
  echo; echo "build ID mismatch"; echo "stale dependency: unsafe"
  echo "not installed but available in build cache" ;;
build)
  pwd > "$FOLDER/asked"; echo "$*" >> "$FOLDER/asked"; env >> "$FOLDER/asked"
  echo example.test/a >&2; echo example.test/b/v2 >&2 ;;
esac
`;

test("the modules are fetched, the packages counted, and the programs built in the module's folder", async () => {
  const steps = await build(goAnswers);
  expect(steps.map((step) => step.name)).toEqual(["some: modules", "some: programs"]);
  expect(said).toEqual([
    expect.stringMatching(/^some: modules: 1 downloaded, done in \d+\.\d s$/),
    "some: compiling 2 packages for etcd",
    expect.stringMatching(/^some: programs: 2 of 2 packages compiled, done in \d+\.\d s$/),
  ]);
  const asked = (await readFile(path.join(folder, "asked"), "utf8")).split("\n");
  expect(asked[0]).toBe(path.join(folder, "tools", "some"));
  expect(asked[1]).toMatch(/^build -mod=readonly -trimpath .* -o \S+\/out\/ \.\/etcd$/);
  expect(asked).toEqual(expect.arrayContaining(["CGO_ENABLED=0", "GOWORK=off", "GOOS=linux"]));
});

test("of a failed build the first complaints are told, without the lines of progress", async () => {
  const failing = goAnswers.replace(
    "build)",
    "build) echo a/b >&2; echo 'a/b: no space' >&2; exit 1;;\nx)",
  );
  const error: unknown = await build(failing).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "build failed",
    message: expect.stringMatching(
      /^building them failed: go build in \S+some ended with code 1:\n {2}a\/b: no space$/,
    ),
  });
});

test("modules that cannot be fetched are told before anything is compiled", async () => {
  const failing = goAnswers.replace(
    "list)",
    "list) echo 'go: example.test/a: refused' >&2; exit 1;;\nx)",
  );
  await expect(build(failing)).rejects.toThrow(
    /^building them failed: go list in .* code 1:\n {2}go: example.test\/a: refused/,
  );
  await expect(readFile(path.join(folder, "asked"))).rejects.toThrow("ENOENT");
});

const testWithSetpriv = isThere("setpriv") ? test : test.skip;

testWithSetpriv(
  "Go ends with the process that waits for it, also with one that is killed",
  async () => {
    await writeGo("echo $$; echo $$ >&2; exec sleep 100");
    const module = fileURLToPath(new URL("./go-command.ts", import.meta.url));
    const script = `
    import { findGo, runGo } from ${JSON.stringify(module)};
    const onErrorLine = (line) => process.stdout.write(line);
    const go = await findGo(process.env);
    await runGo(go, { args: [], directory: "/", timeoutMs: 60_000, onErrorLine });`;
    const builder = spawn(
      process.execPath,
      ["--no-warnings", "--input-type=module", "-e", script],
      {
        env: { PATH: `${path.join(folder, "bin")}:${process.env["PATH"]}` },
      },
    );
    const [said]: unknown[] = await once(builder.stdout, "data");
    const pid = Number(String(said));
    expect(isAlive(pid)).toBe(true);
    builder.kill("SIGKILL");
    await until("the end of Go", () => (isAlive(pid) ? null : true));
  },
);

/** Neither gone nor a zombie that nobody has asked after. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("a go.sum's modules are found in the module cache, where capital letters are written !small", () => {
  const sums = [
    "github.com/NYTimes/gziphandler v1.1.1 h1:a=",
    "github.com/NYTimes/gziphandler v1.1.1/go.mod h1:b=",
    "k8s.io/api v0.36.3/go.mod h1:c=",
    "",
  ];
  expect(modulesOf(sums.join("\n"))).toEqual(["github.com/!n!y!times/gziphandler@v1.1.1"]);
});

test.each([
  ["k8s.io/api/core/v1", "package"],
  ["gopkg.in/yaml.v3", "package"],
  ["internal/abi", "package"],
  ["github.com/cespare/xxhash/v2", "package"],
  ["go: downloading k8s.io/api v0.36.3", "download"],
  ["# k8s.io/api/core/v1", "complaint"],
  ["main.go:3:2: undefined: x", "complaint"],
  ["go: go.mod requires go >= 1.26.0 (running go 1.24.4; GOTOOLCHAIN=local)", "complaint"],
])("Go's line %p is a %s", (line, kind) => {
  expect(isPackageLine(line)).toBe(kind === "package");
  expect(isComplaint(line)).toBe(kind === "complaint");
});

test("the user's settings reach Go but for those that would change the result", () => {
  const environment = { GOPROXY: "here", GOFLAGS: "-mod=vendor", GOARCH: "wasm", CGO_ENABLED: "1" };
  expect(goEnvironment(environment, "x64")).toEqual({
    GOPROXY: "here",
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "-buildvcs=false",
    GOOS: "linux",
    GOARCH: "amd64",
  });
});

const need = { device: 1, freeBytes: 5e9 };

test.each([
  [
    "enough for each alone, and both are on one disk",
    1,
    3e9,
    3e9,
    /6\.0 GB.*3\.0 GB for a in \/a, 3\.0/,
  ],
  ["enough for both on one disk", 1, 2e9, 3e9, null],
  ["enough for each on its disk", 2, 5e9, 5e9, null],
  ["too little on the second disk", 2, 1e9, 6e9, /6\.0 GB for b in \/b\), and 5\.0 GB are free/],
])("room: %s", (_, device, first, second, expected) => {
  const told = shortage([
    { ...need, what: "a", folder: "/a", bytes: first },
    { ...need, what: "b", folder: "/b", bytes: second, device },
  ]);
  if (expected === null) expect(told).toBeNull();
  else expect(told).toMatch(expected);
});

async function writeGo(script: string): Promise<void> {
  await mkdir(path.join(folder, "bin"), { recursive: true });
  await writeFile(path.join(folder, "bin", "go"), `#!/bin/sh\n${script}`, { mode: 0o755 });
}

async function build(script: string) {
  await writeGo(script);
  const { PATH = "" } = process.env;
  const environment = { PATH: `${path.join(folder, "bin")}:${PATH}`, FOLDER: folder };
  const go = await findGo(environment);
  if (go === null) throw new Error("the script was not found");
  const output = path.join(folder, "out");
  const say = (text: string) => said.push(text);
  return await buildPrograms(go, {
    group,
    names: ["etcd"],
    tools: path.join(folder, "tools"),
    output,
    say,
  });
}
