/** The CustomResourceDefinition: the schema of the types, with names and columns. */
import { apiGroup, kind, plural } from "../../src/operator/api/v1alpha1.ts";
import { type JsonSchema, type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** The root type of the API, and the types that it refers to. */
export interface TypesSchema extends JsonSchema {
  readonly definitions: Readonly<Record<string, JsonSchema>>;
}

interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** 1: only with -o wide. */
  readonly priority?: 1;
}

export type Definition = ReturnType<typeof customResourceDefinition>;

export function customResourceDefinition(types: TypesSchema) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${apiGroup}` },
    spec: {
      group: apiGroup,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: ["ftvm"],
        categories: ["lockstep"],
      },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [...columns, ...wideColumns],
          schema: { openAPIV3Schema: rootSchema(types) },
        },
      ],
    },
  };
}

/** What every object has is the API server's; the types say it only for those who compile them. */
function rootSchema(types: TypesSchema): StructuralSchema {
  const { definitions } = types;
  const { spec, status } = types.properties ?? {};
  if (spec === undefined || status === undefined) {
    throw new Error("the root type needs the properties spec and status");
  }
  const root = structuralSchema(
    { ...types, properties: { spec }, required: ["spec"] },
    { definitions, isStatus: false },
  );
  return {
    ...root,
    properties: {
      apiVersion: { description: "Always lockstep.dev/v1alpha1.", type: "string" },
      kind: { description: "Always FTVirtualMachine.", type: "string" },
      metadata: { type: "object" },
      spec: structuralSchema(spec, { definitions, isStatus: false }),
      status: structuralSchema(status, { definitions, isStatus: true }),
    },
  };
}

const columns: readonly Column[] = [
  {
    name: "Status",
    type: "string",
    jsonPath: ".status.phase",
    description: "One word for the machine as a whole",
  },
  {
    name: "Primary",
    type: "string",
    jsonPath: ".status.primary.node",
    description: "Node of the runner in which the guest lives",
  },
  {
    name: "Backup",
    type: "string",
    jsonPath: ".status.backup.node",
    description: "Node of the runner that takes over",
  },
  {
    name: "Epoch",
    type: "integer",
    jsonPath: ".status.epoch",
    description: "Grows with every change of roles",
  },
  {
    name: "Lag(ms)",
    type: "integer",
    jsonPath: ".status.lagMilliseconds",
    description: "How far the backup is behind",
  },
  {
    name: "Failovers",
    type: "integer",
    jsonPath: ".status.failovers",
    description: "Take-overs since the machine was made",
  },
  {
    name: "Age",
    type: "date",
    jsonPath: ".metadata.creationTimestamp",
    description: "Since the machine was made",
  },
];

const wideColumns: readonly Column[] = [
  wide("Primary-Pod", "string", ".status.primary.pod", "Pod in which the guest lives"),
  wide("Backup-Pod", "string", ".status.backup.pod", "Pod that takes over"),
  wide("Gateway", "string", ".status.gateway.pod", "Pod that clients talk to"),
  wide("Ready", "string", condition("Ready"), "Whether the guest serves"),
  wide("FaultTolerant", "string", condition("FaultTolerant"), "Whether either node may be lost"),
  wide("Restarts", "integer", ".status.restarts", "How often it was booted anew"),
  wide("Last-Failover", "date", ".status.lastFailover.time", "Time since the last take-over"),
  wide("Gap(ms)", "integer", ".status.lastFailover.gapMilliseconds", "How long it took"),
  wide("Address", "string", ".status.address", "Where clients reach the guest"),
];

function wide(name: string, type: Column["type"], jsonPath: string, description: string): Column {
  return { name, type, jsonPath, description, priority: 1 };
}

function condition(type: string): string {
  return `.status.conditions[?(@.type=="${type}")].status`;
}
