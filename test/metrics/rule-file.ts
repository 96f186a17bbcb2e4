/** The chart's alert rules as data. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadYaml } from "@kubernetes/client-node";

export const rulesPath = fileURLToPath(
  new URL("../../charts/lockstep/files/alerts.yaml", import.meta.url),
);

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function alertRules(): AlertRule[] {
  const file = loadYaml<{ groups: { rules: AlertRule[] }[] }>(readFileSync(rulesPath, "utf8"));
  return file.groups.flatMap(({ rules }) => rules);
}
