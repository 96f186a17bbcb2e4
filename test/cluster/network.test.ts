/** What the machine's routes say about the networks that a cluster could take. */
import { expect, test } from "@jest/globals";
import { numbersMax, numbersMin } from "./layout.ts";
import { chooseNumber, type Ip, networksOf, overlaps, removeLinks } from "./network.ts";

test.each<[string, number, boolean]>([
  ["10.100.0.0/16", 100, true],
  ["10.100.0.0/16", 101, false],
  ["10.101.0.0/16", 100, false],
  // Within it.
  ["10.100.0.0/24", 100, true],
  ["10.100.7.0/24", 100, true],
  ["10.100.255.128/25", 100, true],
  ["10.99.255.0/24", 100, false],
  ["10.101.0.0/24", 100, false],
  // Around it.
  ["10.0.0.0/8", 100, true],
  ["10.0.0.0/8", 199, true],
  ["10.96.0.0/12", 100, true],
  ["10.96.0.0/12", 112, false],
  ["10.100.0.0/15", 101, true],
  ["10.100.0.0/15", 102, false],
  ["10.128.0.0/9", 127, false],
  ["10.128.0.0/9", 128, true],
  ["11.0.0.0/8", 100, false],
  ["172.16.0.0/12", 100, false],
  ["192.168.100.0/24", 100, false],
  // A host.
  ["10.100.3.4", 100, true],
  ["10.100.3.4/32", 100, true],
  ["10.101.3.4", 100, false],
  ["127.0.0.1", 127, false],
  ["100.10.0.1", 100, false],
])("%s and 10.%i.0.0/16 have addresses in common: %s", (network, number, isShared) => {
  expect(overlaps(network, number)).toBe(isShared);
});

test("a default route, whole or in halves, takes no network", () => {
  const routes = ["default", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.100.3.4", undefined];
  const found = networksOf(routes.map((dst) => (dst === undefined ? {} : { dst })));
  expect(found).toEqual(["10.0.0.0/8", "10.100.3.4"]);
});

test("the number is the first that nobody has, and there may be none", async () => {
  const all = Array.from({ length: numbersMax - numbersMin + 1 }, (_, i) => numbersMin + i);
  const wanted = { port: 29_379, hasNodes: false };
  const but150 = new Set(all.filter((number) => number !== 150));
  expect(await chooseNumber({ ...wanted, taken: but150 })).toBe(150);
  await expect(chooseNumber({ ...wanted, taken: new Set(all) })).rejects.toThrow(
    /^every network from 10\.100\.0\.0\/16 to 10\.199\.0\.0\/16 is in use on this machine, .*; end/,
  );
});

test("links are removed that are there, and one that vanishes meanwhile is nobody's fault", async () => {
  const links = new Set(["lo", "lockstep107n1", "lockstep107n2", "lockstep107", "lockstep1070"]);
  const vanishing = ipOf(links, (link) => void links.delete(link));
  await removeLinks(["lockstep107n1", "lockstep107n2", "lockstep107n3", "lockstep107"], vanishing);
  expect([...links]).toEqual(["lo", "lockstep1070"]);
});

test("a link that stays is an error, and so are links that cannot be listed", async () => {
  const links = new Set(["lo", "lockstep107"]);
  await expect(
    removeLinks(
      ["lockstep107"],
      ipOf(links, () => {}),
    ),
  ).rejects.toThrow(
    /^these links could not be removed: lockstep107 \(no\); remove each with: ip link delete LINK/,
  );
  const broken: Ip = () => Promise.resolve({ code: 1, stdout: "", stderr: "no netlink\n" });
  await expect(removeLinks(["lockstep107"], broken)).rejects.toThrow(/: no netlink$/);
});

/** As much of ip(8) as is asked for; every `delete` says no, whether the link is there afterwards or not. */
function ipOf(links: ReadonlySet<string>, remove: (link: string) => void): Ip {
  return (args) => {
    if (args[0] === "-json") {
      const stdout = JSON.stringify([...links].map((ifname) => ({ ifname })));
      return Promise.resolve({ code: 0, stdout, stderr: "" });
    }
    remove(args[2] ?? "");
    return Promise.resolve({ code: 1, stdout: "", stderr: "no\n" });
  };
}
