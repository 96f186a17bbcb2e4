/**
 * The cluster's programs: which Go package each comes from, which module under tools/ pins it, and
 * which programs one `go build` makes. Pure. What Kubernetes calls itself is stamped in here, and a
 * test compares it with what tools/kube/go.mod pins.
 */

/** What `kubectl version` and a node's kubeletVersion say. */
export const kubernetesVersion = "v1.36.3";
/** What it calls itself. */
export const provisionerVersion = "v0.0.30";
/** What `helm version` says. */
export const helmVersion = "v3.21.4";
/** The newest go directive of tools: an older Go refuses to build them. */
export const goVersionMin = "1.26";

export const binaryNames = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "kubectl",
  "coredns",
  "kwok",
  "etcd",
  "local-path-provisioner",
  "helm",
] as const;
export type BinaryName = (typeof binaryNames)[number];

/** What one `go build` makes; all its programs share what is compiled for them. */
export interface BuildGroup {
  readonly name: string;
  /** A folder of tools with go.mod and go.sum. */
  readonly module: string;
  readonly packages: ReadonlyMap<BinaryName, string>;
  /** Values put in at link time: variable and value. */
  readonly stamps: readonly (readonly [string, string])[];
}

export const buildGroups: readonly BuildGroup[] = [
  {
    name: "etcd",
    module: "etcd",
    packages: new Map([["etcd", "./etcd"]]),
    stamps: [],
  },
  {
    name: "kubernetes",
    module: "kube",
    packages: new Map<BinaryName, string>([
      ["kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"],
      ["kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"],
      ["kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"],
      ["kubelet", "k8s.io/kubernetes/cmd/kubelet"],
      ["kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"],
      ["kubectl", "k8s.io/kubernetes/cmd/kubectl"],
      ["coredns", "./coredns"],
      ["kwok", "sigs.k8s.io/kwok/cmd/kwok"],
    ]),
    stamps: kubernetesStamps(kubernetesVersion),
  },
  {
    // After Kubernetes: most of its packages are compiled with that one.
    name: "helm",
    module: "helm",
    packages: new Map([["helm", "helm.sh/helm/v3/cmd/helm"]]),
    stamps: helmStamps(helmVersion, kubernetesVersion),
  },
  {
    // The same module, but a command of its own: it imports Sirupsen/logrus, Kubernetes sirupsen/logrus,
    // and Go refuses two paths that differ in case only.
    name: "local-path-provisioner",
    module: "kube",
    packages: new Map([["local-path-provisioner", "github.com/rancher/local-path-provisioner"]]),
    stamps: [["main.VERSION", provisionerVersion]],
  },
];

/** The groups that make some of these programs, each with those of its programs. */
export function groupsFor(
  names: Iterable<BinaryName>,
): { readonly group: BuildGroup; readonly names: readonly BinaryName[] }[] {
  const wanted = new Set(names);
  return buildGroups
    .map((group) => ({ group, names: [...group.packages.keys()].filter((n) => wanted.has(n)) }))
    .filter((part) => part.names.length > 0);
}

/** Programs get their names from the last part of their packages' paths. */
export function buildArguments(
  group: BuildGroup,
  names: readonly BinaryName[],
  outputDirectory: string,
): string[] {
  const output = ["-v", "-o", `${outputDirectory}/`];
  return ["build", ...buildFlags(group), ...cheaper, ...output, ...packagesOf(group, names)];
}

export function packagesOf(group: BuildGroup, names: readonly BinaryName[]): string[] {
  return [...group.packages].flatMap(([name, path]) => (names.includes(name) ? [path] : []));
}

/**
 * Not to write down for a debugger what is thrown away when linking saves a seventh of the time and a
 * fifth of the compiled packages' size. Without effect on the result: not part of the cache's key.
 */
export const cheaper = ["-gcflags=all=-dwarf=false"];

/** Whatever of the command decides what is in the result: part of the cache's key. */
export function buildFlags(group: BuildGroup): string[] {
  const stamps = group.stamps.map(([variable, value]) => `-X ${variable}=${value}`);
  // Without symbols the programs are a third smaller.
  const linking = ["-s", "-w", ...stamps].join(" ");
  return ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", linking];
}

/**
 * Without these the programs call themselves v0.0.0-master+$Format:%H$, which clients that compare
 * versions do not understand.
 */
function kubernetesStamps(version: string): [string, string][] {
  const [major, minor] = majorAndMinor(version);
  return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap(
    (place): [string, string][] => [
      [`${place}.gitVersion`, version],
      [`${place}.gitMajor`, major],
      [`${place}.gitMinor`, minor],
      [`${place}.gitTreeState`, "clean"],
      [`${place}.gitCommit`, "module"],
      [`${place}.buildDate`, "1970-01-01T00:00:00Z"],
    ],
  );
}

/** Without the version of Kubernetes, `helm template` and `helm lint` are for clusters of 1.20. */
function helmStamps(version: string, kubernetes: string): [string, string][] {
  const [major, minor] = majorAndMinor(kubernetes);
  const places = ["pkg/chartutil", "pkg/lint/rules"];
  return [
    ["helm.sh/helm/v3/internal/version.version", version],
    ...places.flatMap((place): [string, string][] => [
      [`helm.sh/helm/v3/${place}.k8sVersionMajor`, major],
      [`helm.sh/helm/v3/${place}.k8sVersionMinor`, minor],
    ]),
  ];
}

function majorAndMinor(version: string): [major: string, minor: string] {
  const [major = "", minor = ""] = version.slice(1).split(".");
  return [major, minor];
}
