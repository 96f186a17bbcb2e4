/** The rules of a machine's firewall: which are made, and that those which stay are told. */
import { expect, test } from "@jest/globals";
import { forgetBridge, type Iptables, letBridgeThrough } from "./firewall.ts";

const policies = { INPUT: ["-P INPUT DROP"], FORWARD: ["-P FORWARD ACCEPT"] };
const oursInInput = "-A INPUT -i lockstep107 -j ACCEPT";
const oursInForward = "-A FORWARD -i lockstep107 -o lockstep107 -j ACCEPT";
const foreign = "-A INPUT -i lockstep1070 -j ACCEPT";

test("only a chain that has rules gets one, and it is taken back, however often it is there", async () => {
  const rules = machine({ INPUT: [...policies.INPUT, foreign] });
  await letBridgeThrough("lockstep107", iptablesOf(rules));
  expect(rules.get("INPUT")).toContain(oursInInput);
  expect(rules.get("FORWARD")).toEqual(policies.FORWARD);
  rules.get("INPUT")?.push(oursInInput);
  rules.get("FORWARD")?.push(oursInForward);
  await forgetBridge("lockstep107", iptablesOf(rules));
  expect(Object.fromEntries(rules)).toEqual({ ...policies, INPUT: [...policies.INPUT, foreign] });
});

test("a rule that stays is an error", async () => {
  const rules = machine({ FORWARD: [...policies.FORWARD, oursInForward] });
  const refusing: Iptables = async (args) =>
    args[0] === "-D"
      ? { code: 4, stdout: "", stderr: "Permission denied.\n" }
      : await iptablesOf(rules)(args);
  await expect(forgetBridge("lockstep107", refusing)).rejects.toThrow(
    /^this machine's firewall.* FORWARD, still lets lockstep107 through .*: Permission denied\.; see/,
  );
});

const noTable =
  "iptables v1.8.9 (legacy): can't initialize iptables table `filter': Table does not exist (do you need to insmod?)\n";

test("a kernel without the table has no rules", async () => {
  const without: Iptables = () => Promise.resolve({ code: 3, stdout: "", stderr: noTable });
  await letBridgeThrough("lockstep107", without);
  await forgetBridge("lockstep107", without);
});

test.each([letBridgeThrough, forgetBridge])(
  "rules that cannot be read are not none",
  async (verb) => {
    const broken: Iptables = () =>
      Promise.resolve({ code: 1, stdout: "", stderr: "iptables: you must be root\n" });
    await expect(verb("lockstep107", broken)).rejects.toThrow(
      /INPUT, cannot be read .*be root; see/,
    );
  },
);

function machine(changes: Partial<Record<string, string[]>> = {}): Map<string, string[]> {
  return new Map([
    ["INPUT", [...(changes["INPUT"] ?? policies.INPUT)]],
    ["FORWARD", [...(changes["FORWARD"] ?? policies.FORWARD)]],
  ]);
}

/** As much of it as is asked for, on these rules. */
function iptablesOf(rules: ReadonlyMap<string, string[]>): Iptables {
  return ([verb, chain = "", ...rest]) => {
    const those = rules.get(chain) ?? [];
    const rule = ["-A", chain, ...rest].join(" ");
    if (verb === "-I") those.splice(1, 0, rule);
    if (verb === "-D") those.splice(those.indexOf(rule), 1);
    const stdout = verb === "-S" ? `${those.join("\n")}\n` : "";
    return Promise.resolve({ code: 0, stdout, stderr: "" });
  };
}
