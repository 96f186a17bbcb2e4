/**
 * Where Debian's packages come from, and how mmdebstrap is called: functions of what this machine's
 * apt says about itself. The machine's own mirror is used to fetch, and is not in the result.
 */
import type { Architecture } from "./image-layout.ts";

const suite = "trixie";

export interface Mirrors {
  readonly main: string;
  /** Null: this machine knows none. */
  readonly security: string | null;
}

const suites =
  "bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable";

/**
 * From what `apt-get update --print-uris` would fetch; null: there is no mirror of Debian among it.
 * Repositories of others use Debian's suite names too, but none of them has "-updates".
 */
export function mirrorsFrom(printed: string): Mirrors | null {
  const sources = [...printed.matchAll(/^'(.*)\/dists\/([^']*)\/InRelease'/gm)].map(
    ([, site = "", release = ""]) => ({ site, release }),
  );
  const find = (suffix: string) =>
    sources.find(({ release }) => new RegExp(`^(${suites})${suffix}$`).test(release))?.site;
  const main = find("-updates") ?? find("");
  return main === undefined ? null : { main, security: find("(-security|/updates)") ?? null };
}

/** The machine's settings for reaching a mirror (proxies, certificates, time-outs), from `apt-config dump`. */
export function mirrorSettings(aptConfig: string): string[] {
  return aptConfig
    .split("\n")
    .filter((line) => line.startsWith("Acquire::"))
    .filter(
      (line) => !/^Acquire::(IndexTargets|Languages|Allow|Changelogs|CompressionTypes)/.test(line),
    );
}

export interface Extraction {
  /** "extract" only unpacks; "essential" installs a small Debian, with a shell. */
  readonly variant: "extract" | "essential";
  readonly packages: readonly string[];
  readonly architecture: Architecture;
  readonly keyring: string;
  readonly mirrors: Mirrors;
  readonly settings: readonly string[];
  readonly target: string;
}

export function mmdebstrapArguments(extraction: Extraction): string[] {
  const { variant, packages, architecture, keyring, mirrors, settings, target } = extraction;
  const security =
    mirrors.security === null ? [] : [`deb ${mirrors.security} ${suite}-security main`];
  return [
    "--quiet",
    "--mode=root",
    `--variant=${variant}`,
    `--architectures=${architecture}`,
    `--include=${packages.join(",")}`,
    `--keyring=${keyring}`,
    ...settings.map((line) => `--aptopt=${line}`),
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
    // Half an installation is thrown away, so nothing need reach the disk on the way.
    "--dpkgopt=force-unsafe-io",
    // Whatever nobody reads in a container.
    ...["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"].map(
      (place) => `--dpkgopt=path-exclude=${place}`,
    ),
    suite,
    target,
    `deb ${mirrors.main} ${suite} main`,
    ...security,
  ];
}
