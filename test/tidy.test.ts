/** What no tool knows: the house rules of docs/STYLE.md, checked over the files of the project. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const root = fileURLToPath(new URL("../", import.meta.url));
const foreign = new Set(["node_modules", "dist", ".git", ".cache", "coverage", "LICENSE"]);
const files = filesBelow("");
const texts = new Map(
  files.filter(isText).map((f) => [f, readFileSync(path.join(root, f), "utf8")]),
);
const sources = files.filter((file) => file.startsWith("src/") && file.endsWith(".ts"));
const product = sources.filter((file) => !file.endsWith(".test.ts"));

/** What must not be written, where (a pattern of paths), and what to use instead. */
const bans: [RegExp, RegExp, string][] = [
  [/\b(TO.?DO|FIX.?ME|XXX|HACK)\b/, /./, "finish it, or leave it out"],
  [/\b(describe|test|it)\.only\b/, /\.test\.ts$/, "run one file with: npm test -- FILE"],
  [/jest\.(mock|unstable_mockModule)\(/, /\.test\.ts$/, "a parameter: every effect is one"],
  [/\bMath\.random\b/, /^src\/(?!vm-runner\/machine\/)/, "node:crypto in shells, data in cores"],
  [/\bDate\.now\b/, /^src\/(shared|.*\/(replay|failover|record))\//, "time that is handed in"],
  [/\bconsole\.log\b/, /^src\/(?!vm-runner\/machine\/)/, "the logger, or process.stdout"],
  [/from "v86"/, /^src\/(?!vm-runner\/machine\/v86\.ts)/, "vm-runner/machine/machine.ts"],
  [/https?:\/\/(?!\$|127\.|localhost)/, /^(src|scripts|guest|bin|\.ci)\//, "the user's own set-up"],
  [/\b(master|slave)s?\b/i, /^(src|docs|README)/, "primary, backup"],
];

test.each(bans)("nobody writes %s", (pattern, where, instead) => {
  const found = [...texts]
    .filter(([file]) => where.test(file) && file !== "test/tidy.test.ts")
    .flatMap(([file, text]) => matchingLines(file, text, pattern));
  expect(found.map((place) => `${place}: use instead: ${instead}`)).toEqual([]);
});

test("every place where the types are overruled says why it is safe", () => {
  const places = product.flatMap(unexplained);
  expect(places).toEqual([]);
});

test("file names say what is inside", () => {
  const vague = /(^|[-/])(utils?|helpers?|common|managers?|misc)([-./]|$)|(^|\/)index\.ts$/;
  expect(files.filter((file) => vague.test(file))).toEqual([]);
});

test("no folder of src holds a single file", () => {
  const folders = [...new Set(sources.map((file) => path.dirname(file)))];
  const lonely = folders.filter((folder) => {
    const below = sources.filter((file) => file.startsWith(`${folder}/`));
    return below.length === 1;
  });
  expect(lonely).toEqual([]);
});

test("no source is longer than 400 lines", () => {
  const long = [...texts].filter(([file, text]) => {
    return /\.(ts|mjs)$/.test(file) && text.split("\n").length > 401;
  });
  expect(long.map(([file]) => file)).toEqual([]);
});

test("components meet in shared, and in the record, only", () => {
  const wrong = product.flatMap((file) => {
    const component = file.split("/")[1] ?? "";
    if (!["operator", "vm-runner", "storage-arbiter", "gateway"].includes(component)) return [];
    return importsOf(file).filter((target) => {
      const free = [`src/${component}/`, "src/shared/", "src/platform/"];
      return ![...free, "src/storage-arbiter/record/"].some((place) => target.startsWith(place));
    });
  });
  expect(wrong).toEqual([]);
});

test("shared imports nothing of ours, and platform only shared", () => {
  for (const [leaf, allowed] of [
    ["src/shared/", /^src\/shared\//],
    ["src/platform/", /^src\/(shared|platform)\//],
  ] as const) {
    const imports = product.filter((f) => f.startsWith(leaf)).flatMap(importsOf);
    expect(imports.filter((target) => !allowed.test(target))).toEqual([]);
  }
});

test("compiler and linter agree on what is inside the line", () => {
  const core: string[] = JSON.parse(texts.get("tsconfig.core.json") ?? "").include;
  const { overrides } = JSON.parse(texts.get("biome.json") ?? "");
  const denying = overrides.find(
    (o: Record<string, never>) => o["linter"]?.["rules"]?.["style"]?.["noRestrictedGlobals"],
  );
  const linted = denying.includes
    .filter((place: string) => !place.startsWith("!"))
    .map((place: string) => place.replace(/\/\*\*$/, ""));
  expect(linted.sort()).toEqual([...core].sort());
});

const pages = [...texts].filter(([file]) => file.endsWith(".md"));

test("every page has one title, and its links lead somewhere", () => {
  expect(pages.length).toBeGreaterThan(0);
  for (const [file, text] of pages) {
    const prose = text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "");
    expect({ file, titles: prose.match(/^# .+$/gm)?.length }).toEqual({ file, titles: 1 });
    const links = [...prose.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1] ?? "");
    const local = links.filter((link) => !/^(https?|mailto):/.test(link));
    const dead = local.filter((l) => !existsSync(path.join(root, path.dirname(file), l)));
    expect({ file, dead }).toEqual({ file, dead: [] });
  }
});

test("every promise of the specification names a test that exists", () => {
  const promises = [...(texts.get("docs/SPECIFICATION.md") ?? "").matchAll(/\| `([^`]+)` \|$/gm)];
  // The tests on real nodes are one file for Jest, and a file for each kind of promise.
  const holdsTests = (file: string) => /\.test\.ts$|^test\/operator-e2e\/promises\//.test(file);
  const tests = [...texts].filter(([file]) => holdsTests(file)).map(([, text]) => text);
  const titles = promises.map((match) => match[1] ?? "");
  expect(titles.length).toBeGreaterThan(30);
  expect(titles.filter((title) => !tests.some((text) => text.includes(title)))).toEqual([]);
});

/** Casts, and the linter's exceptions, without a `SAFETY:` on the line or on the four above. */
function unexplained(file: string): string[] {
  const lines = (texts.get(file) ?? "").split("\n");
  return lines.flatMap((line, i) => {
    const code = line.replace(/"[^"]*"|'[^']*'|`[^`]*`|^\s*\/?\*.*|\/\/.*/g, "");
    const cast =
      /\bas (?!const\b)[\w{([]/.test(code) && !/^\s*(import\b|export (type )?[{*])/.test(code);
    const overrules = cast || /(?<!\.)\bany\b|[\w\])]!(?=[.,;)[])/.test(code);
    if (!overrules && !line.includes("biome-ignore")) return [];
    const near = lines.slice(Math.max(0, i - 4), i + 1).join("\n");
    return near.includes("SAFETY:") ? [] : [`${file}:${i + 1}: ${line.trim()}`];
  });
}

function matchingLines(file: string, text: string, pattern: RegExp): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}`] : []));
}

/** What of ours `file` imports, as paths from the root. */
function importsOf(file: string): string[] {
  const found = (texts.get(file) ?? "").matchAll(/from "(\.[^"]+)"/g);
  return [...found].map((match) => path.join(path.dirname(file), match[1] ?? ""));
}

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (foreign.has(entry.name)) return [];
    return entry.isDirectory() ? filesBelow(name) : [name];
  });
}

function isText(file: string): boolean {
  return /\.(ts|mjs|js|json|md|sh|yaml|s|S)$|^(bin|\.ci)\//.test(file) && !/-lock/.test(file);
}
