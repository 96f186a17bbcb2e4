/** The machine's own mirror is found in whatever apt says. */
import { expect, test } from "@jest/globals";
import { mirrorSettings, mirrorsFrom, mmdebstrapArguments } from "./debian-mirror.ts";

const found: [string, string, ReturnType<typeof mirrorsFrom>][] = [
  [
    "Debian 12 with security",
    "http://a/debian bookworm\nhttp://a/debian bookworm-updates\nhttp://a/sec bookworm-security\n",
    { main: "http://a/debian", security: "http://a/sec" },
  ],
  [
    "Debian 13, nothing else",
    "http://a/debian trixie\n",
    { main: "http://a/debian", security: null },
  ],
  ["unstable", "http://a/debian sid", { main: "http://a/debian", security: null }],
  [
    "another's repository with Debian's suite name first",
    "https://other/apt bookworm\nhttp://a/debian bookworm\nhttp://a/debian bookworm-updates",
    { main: "http://a/debian", security: null },
  ],
  ["backports only", "http://a/debian bookworm-backports", null],
  [
    "Ubuntu",
    "http://u/ubuntu noble\nhttp://u/ubuntu noble-updates\nhttp://u/ubuntu noble-security",
    null,
  ],
  ["no sources", "", null],
];

test.each(found)("the mirror is found: %s", (_, sources, mirrors) => {
  const printed = sources.split("\n").flatMap((source) => {
    const place = source.replace(" ", "/dists/");
    return [`'${place}/InRelease' file 0`, `'${place}/main/binary-amd64/Packages.xz' file 0`];
  });
  expect(mirrorsFrom(printed.join("\n"))).toEqual(mirrors);
});

test("proxies and certificates are taken over, what weakens verification is not", () => {
  const dump = [
    'APT::Architecture "amd64";',
    'Acquire::http::Proxy "http://proxy:3128";',
    'Acquire::AllowInsecureRepositories "true";',
    'Acquire::Languages "environment";',
    'DPkg::Post-Invoke:: "rm -f /x";',
  ].join("\n");
  expect(mirrorSettings(dump)).toEqual(['Acquire::http::Proxy "http://proxy:3128";']);
});

const extraction = {
  variant: "extract",
  packages: ["busybox", "ipset"],
  architecture: "arm64",
  keyring: "/keys.gpg",
  mirrors: { main: "http://a/debian", security: "http://a/sec" },
  settings: ['Acquire::http::Proxy "p";'],
  target: "/target",
} as const;

test("mmdebstrap gets the packages, the keys and the mirror's settings; the sources come last", () => {
  const args = mmdebstrapArguments(extraction);
  expect(args).toEqual(
    expect.arrayContaining([
      "--variant=extract",
      "--architectures=arm64",
      "--include=busybox,ipset",
      "--keyring=/keys.gpg",
      '--aptopt=Acquire::http::Proxy "p";',
    ]),
  );
  expect(args.slice(-4)).toEqual([
    "trixie",
    "/target",
    "deb http://a/debian trixie main",
    "deb http://a/sec trixie-security main",
  ]);
});

test("without a security mirror there is one source", () => {
  const args = mmdebstrapArguments({ ...extraction, mirrors: { main: "m", security: null } });
  expect(args.filter((arg) => arg.startsWith("deb "))).toEqual(["deb m trixie main"]);
});
