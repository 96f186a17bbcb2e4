/** What `helm template` prints, made into manifests for those who have no Helm. Pure. */

const header = `# Lockstep for "kubectl apply", with the chart's default values. Made of charts/lockstep by:
#   LOCKSTEP_RENEW=1 npm test -- test/chart
# Change the chart, not this file. Put your image in place of lockstep.invalid/lockstep (docs/install.md).
`;

export function plainManifests(rendered: string, namespace: string): string {
  const objects = rendered
    .split("\n")
    // That Helm made it, and from which file, is true no more.
    .filter(
      (line) => !/^ +(app\.kubernetes\.io\/managed-by|helm\.sh\/chart): |^# Source: /.test(line),
    )
    .join("\n");
  return `${header}---\n${namespaceObject(namespace)}${objects}`;
}

function namespaceObject(name: string): string {
  return `apiVersion: v1
kind: Namespace
metadata:
  name: ${name}
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
`;
}
