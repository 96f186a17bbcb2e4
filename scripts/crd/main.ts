/**
 * Writes what is made from the types of the API: the CRD, and its reference for readers.
 *
 *   npm run generate               writes the files
 *   npm run generate -- --check    writes nothing; exit code 1 when one is out of date
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { dumpYaml } from "@kubernetes/client-node";
import { createGenerator } from "ts-json-schema-generator";
import { customResourceDefinition, type Definition, type TypesSchema } from "./definition.ts";
import { apiReference } from "./reference.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const typesFile = "src/operator/api/v1alpha1.ts";

main(process.argv.slice(2));

function main(args: readonly string[]): void {
  const unknown = args.filter((arg) => arg !== "--check");
  if (unknown.length > 0) {
    process.stderr.write(`unknown option ${unknown.join(" ")}; expected --check or nothing\n`);
    process.exitCode = 2;
    return;
  }
  const definition = customResourceDefinition(readTypes());
  const files = {
    "crds/lockstep.dev_ftvirtualmachines.yaml": yamlOf(definition),
    // A packaged chart holds all that it installs.
    "charts/lockstep/definitions/lockstep.dev_ftvirtualmachines.yaml": yamlOf(definition),
    "docs/api-reference.md": apiReference(definition),
  };
  const stale = Object.entries(files).filter(([file, text]) => textOf(file) !== text);
  for (const [file, text] of stale) {
    if (args.includes("--check")) {
      process.stdout.write(`${file} is not what ${typesFile} says; run: npm run generate\n`);
      process.exitCode = 1;
      continue;
    }
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
    process.stdout.write(`wrote ${file}\n`);
  }
}

function readTypes(): TypesSchema {
  const generator = createGenerator({
    path: path.join(root, typesFile),
    tsconfig: path.join(root, "tsconfig.base.json"),
    type: "FTVirtualMachine",
    topRef: false,
    sortProps: false,
    skipTypeCheck: true,
    expose: "all",
    fullDescription: true,
  });
  return JSON.parse(JSON.stringify(generator.createSchema("FTVirtualMachine")));
}

function yamlOf(definition: Definition): string {
  const header = `# Made from ${typesFile} by: npm run generate\n# Change the types, not this file.\n`;
  // Without the kind, the client does not put its own picture of a definition in place of ours.
  const { apiVersion, kind, ...rest } = definition;
  const body = dumpYaml(rest, { lineWidth: 100, noRefs: true });
  return `${header}---\napiVersion: ${apiVersion}\nkind: ${kind}\n${body}`;
}

function textOf(file: string): string | null {
  try {
    return readFileSync(path.join(root, file), "utf8");
  } catch {
    return null;
  }
}
