/** That a program gets the time it is given and no more, whatever it leaves behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import { attempt, run } from "./run-program.ts";

const module = fileURLToPath(new URL("./run-program.ts", import.meta.url));
const testTimeoutMs = 60_000;

test("what a program printed and its exit code are given, and its input reaches it", async () => {
  const ended = await attempt("sh", ["-c", "cat; echo no >&2; exit 3"], { input: "yes" });
  expect(ended).toEqual({ code: 3, stdout: "yes", stderr: "no\n" });
  await expect(run("sh", ["-c", "echo no >&2; exit 3"])).rejects.toThrow(/ended with code 3: no$/);
  await expect(run("/no/where", [])).rejects.toThrow(/^cannot run \/no\/where: .*ENOENT/);
});

test("much output is whole", async () => {
  const { stdout } = await attempt("sh", ["-c", "head -c 5000000 /dev/zero | tr '\\0' x"]);
  expect(stdout).toHaveLength(5_000_000);
});

test(
  "after its time a program is killed with its children, which hold its output open",
  async () => {
    const script = "sleep 100 & echo $!; wait";
    const { code, stdout } = await attempt("sh", ["-c", script], { timeoutMs: 300 });
    expect(code).toBeNull();
    await until("the child's end", () => (isOver(Number(stdout)) ? true : null));
  },
  testTimeoutMs,
);

test(
  "a process that has left the group is not waited for, neither after its time nor after the end",
  async () => {
    const pids: number[] = [];
    try {
      for (const [rest, code] of [
        ["wait", null],
        ["exit 5", 5],
      ] as const) {
        const script = `setsid sh -c 'echo $$; exec sleep 100' & ${rest}`;
        const ended = await attempt("sh", ["-c", script], { timeoutMs: 2_000 });
        pids.push(Number(ended.stdout));
        expect(ended.code).toBe(code);
        expect(isOver(Number(ended.stdout))).toBe(false);
      }
    } finally {
      for (const pid of pids) process.kill(pid, "SIGKILL");
    }
  },
  testTimeoutMs,
);

test(
  "programs that still run end with this process",
  async () => {
    const script = `
      import { attempt } from ${JSON.stringify(module)};
      const onStderr = (text) => process.stdout.write(text, () => process.exit(0));
      await attempt("sh", ["-c", "sleep 100 & echo $! >&2; wait"], { onStderr });`;
    const node = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script]);
    let said = "";
    node.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await once(node, "close");
    expect(said).toMatch(/^\d+$/);
    await until("the child's end", () => (isOver(Number(said)) ? true : null));
  },
  testTimeoutMs,
);

/** Gone, or a zombie that nobody has asked after. */
function isOver(pid: number): boolean {
  expect(pid).toBeGreaterThan(1);
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
