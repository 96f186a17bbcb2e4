/**
 * What kwok makes of nodes and pods: each stage says which objects it takes, and what their status
 * becomes. Pure. They do what kubelet does, only at once. No two stages of a kind take the same
 * object: kwok would choose one of them by lot. What kubelet leaves to others stays theirs: a
 * readiness gate is opened by its controller, or the pod is not Ready.
 */

type Operator = "In" | "NotIn" | "Exists" | "DoesNotExist";

interface Requirement {
  readonly jq: { readonly key: string; readonly operator: Operator; readonly values?: string[] };
}

export interface Stage {
  readonly name: string;
  readonly kind: "Node" | "Pod";
  readonly when: readonly Requirement[];
  /** A template (of Go, for YAML) that is merged into the status; null: the object is deleted. */
  readonly status: string | null;
}

const now = "{{ Now | Quote }}";
const nodePressures = ["MemoryPressure", "DiskPressure", "PIDPressure"];

const readyStatus = '.status.conditions[]? | select(.type == "Ready") | .status';
const missingGates =
  "[.spec.readinessGates[]?.conditionType] - " +
  '[.status.conditions[]? | select(.status == "True") | .type]';
const gates = `(${missingGates}) | if length == 0 then "open" else "closed" end`;
const owner = '[.metadata.ownerReferences[]?.kind] | if index("Job") then "Job" else "other" end';

const isDeleted: Requirement = { jq: { key: ".metadata.deletionTimestamp", operator: "Exists" } };
const isLiving: Requirement = {
  jq: { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
};
const isRunning = has(".status.phase", "Running");

export const stages: readonly Stage[] = [
  {
    name: "node-ready",
    kind: "Node",
    when: [hasNot(readyStatus, "True")],
    status: [
      "conditions:",
      nodeCondition("Ready", "True", "KubeletReady"),
      ...nodePressures.map((type) => nodeCondition(type, "False", "NoPressureOnFakeNodes")),
    ].join("\n"),
  },
  {
    name: "pod-run",
    kind: "Pod",
    when: [isLiving, has(".status.phase", "Pending")],
    status: runningPod(),
  },
  {
    name: "pod-ready",
    kind: "Pod",
    when: [isLiving, isRunning, hasNot(readyStatus, "True"), has(gates, "open")],
    status: ["conditions:", podCondition("Ready", "True")].join("\n"),
  },
  {
    name: "pod-not-ready",
    kind: "Pod",
    when: [isLiving, isRunning, has(readyStatus, "True"), has(gates, "closed")],
    status: ["conditions:", podCondition("Ready", "False", "ReadinessGatesNotReady")].join("\n"),
  },
  {
    name: "pod-complete",
    kind: "Pod",
    when: [isLiving, isRunning, has(readyStatus, "True"), has(gates, "open"), has(owner, "Job")],
    status: endedPod(),
  },
  {
    name: "pod-end",
    kind: "Pod",
    when: [isDeleted, isRunning],
    status: endedPod(),
  },
  {
    name: "pod-delete",
    kind: "Pod",
    when: [isDeleted, hasNot(".status.phase", "Running")],
    status: null,
  },
];

function runningPod(): string {
  return `
phase: Running
startTime: ${now}
conditions:
${podCondition("PodReadyToStartContainers", "True")}
${podCondition("Initialized", "True")}
${podCondition("ContainersReady", "True")}
{{ if .spec.readinessGates }}
${podCondition("Ready", "False", "ReadinessGatesNotReady")}
{{ else }}
${podCondition("Ready", "True")}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: { running: { startedAt: ${now} } }
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  restartCount: 0
  {{ if eq .restartPolicy "Always" }}
  started: true
  state: { running: { startedAt: ${now} } }
  {{ else }}
  started: false
  state: { terminated: { exitCode: 0, reason: Completed, startedAt: ${now}, finishedAt: ${now} } }
  {{ end }}
{{ end }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
hostIPs: [{{ range . }}{ ip: {{ . | Quote }} },{{ end }}]
{{ end }}
{{ with PodIPsWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace }}
podIP: {{ index . 0 | Quote }}
podIPs: [{{ range . }}{ ip: {{ . | Quote }} },{{ end }}]
{{ end }}
`;
}

function endedPod(): string {
  return `
phase: Succeeded
conditions:
${podCondition("Ready", "False", "PodCompleted")}
${podCondition("ContainersReady", "False", "PodCompleted")}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: 0
  state: { terminated: { exitCode: 0, reason: Completed, startedAt: ${now}, finishedAt: ${now} } }
{{ end }}
`;
}

function podCondition(type: string, status: "True" | "False", reason = ""): string {
  return `- { ${condition(type, status, reason)} }`;
}

/** It says in addition when the node last spoke. */
function nodeCondition(type: string, status: "True" | "False", reason: string): string {
  return `- { ${condition(type, status, reason)}, lastHeartbeatTime: ${now} }`;
}

function condition(type: string, status: string, reason: string): string {
  return `type: ${type}, status: "${status}", reason: "${reason}", lastTransitionTime: ${now}`;
}

function has(key: string, value: string): Requirement {
  return { jq: { key, operator: "In", values: [value] } };
}

function hasNot(key: string, value: string): Requirement {
  return { jq: { key, operator: "NotIn", values: [value] } };
}
