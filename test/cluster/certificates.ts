/**
 * The cluster's certificates, made with openssl, with keys on the curve P-256, which are made in no time.
 * One authority is for everything but etcd, which has its own: there, nobody but the API server gets in.
 * They live as long as the cluster's files.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { clusterDomain, kubernetesServiceAddress, type Layout } from "./layout.ts";
import { run } from "./run-program.ts";

const days = "3650";

type Authority = "ca" | "etcd-ca";

interface Certificate {
  readonly name: string;
  readonly authority?: Authority;
  /** Who the holder is: Kubernetes takes O for groups and CN for the user. */
  readonly subject: string;
  readonly usage: "clientAuth" | "serverAuth" | "serverAuth,clientAuth";
  readonly alternativeNames?: string;
}

/** Makes the authorities, the key of service accounts' tokens, and all certificates. @throws ClusterError */
export async function makeCertificates(layout: Layout): Promise<void> {
  const at = (file: string) => path.join(layout.pki, file);
  const signingKey = async () => {
    await makeKey(at("sa.key"));
    await run("openssl", ["ec", "-in", at("sa.key"), "-pubout", "-out", at("sa.pub")]);
  };
  await Promise.all([signingKey(), makeAuthority(layout, "ca"), makeAuthority(layout, "etcd-ca")]);
  await Promise.all(certificatesOf(layout).map((certificate) => sign(layout.pki, certificate)));
}

async function makeAuthority({ pki, spec }: Layout, authority: Authority): Promise<void> {
  const key = path.join(pki, `${authority}.key`);
  await makeKey(key);
  await run("openssl", [
    ...["req", "-x509", "-new", "-key", key, "-days", days],
    ...["-out", path.join(pki, `${authority}.crt`)],
    ...["-subj", `/CN=lockstep-${spec.name}-${authority}`],
    ...["-addext", "basicConstraints=critical,CA:TRUE"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"],
  ]);
}

function certificatesOf(layout: Layout): readonly Certificate[] {
  const clients = {
    "apiserver-kubelet": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "front-proxy": "/CN=front-proxy-client",
    admin: "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    kwok: "/O=system:masters/CN=kwok",
    "network-policy-engine": "/O=system:masters/CN=network-policy-engine",
    "local-path-provisioner": "/O=system:masters/CN=local-path-provisioner",
  };
  return [
    {
      ...{ name: "apiserver", subject: "/CN=kube-apiserver", usage: "serverAuth" },
      alternativeNames: apiServerNames(layout),
    },
    {
      ...{ name: "etcd", authority: "etcd-ca", subject: "/CN=etcd" },
      // Members are each other's clients.
      usage: "serverAuth,clientAuth",
      alternativeNames: `IP:${new URL(layout.etcdUrl).hostname}`,
    },
    {
      ...{
        name: "apiserver-etcd",
        authority: "etcd-ca",
        subject: "/CN=kube-apiserver-etcd-client",
      },
      usage: "clientAuth",
    },
    ...Object.entries(clients).map(([name, subject]): Certificate => {
      return { name, subject, usage: "clientAuth" };
    }),
    ...layout.nodes.flatMap(({ name, address }): Certificate[] => {
      const subject = `/O=system:nodes/CN=system:node:${name}`;
      const alternativeNames = `DNS:${name},IP:${address}`;
      return [
        { name, subject, usage: "clientAuth" },
        { name: `${name}-serving`, subject, usage: "serverAuth", alternativeNames },
      ];
    }),
  ];
}

function apiServerNames(layout: Layout): string {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  const names = [...service, `kubernetes.default.svc.${clusterDomain}`, "localhost"];
  const addresses = ["127.0.0.1", layout.apiAddress, kubernetesServiceAddress];
  return [...names.map((n) => `DNS:${n}`), ...addresses.map((a) => `IP:${a}`)].join(",");
}

async function sign(pki: string, certificate: Certificate): Promise<void> {
  const { name, authority = "ca", subject, usage, alternativeNames } = certificate;
  const at = (file: string) => path.join(pki, file);
  await makeKey(at(`${name}.key`));
  const extensions = ["keyUsage=critical,digitalSignature,keyEncipherment"];
  extensions.push(`extendedKeyUsage=${usage}`);
  if (alternativeNames !== undefined) extensions.push(`subjectAltName=${alternativeNames}`);
  await writeFile(at(`${name}.ext`), extensions.join("\n"));
  const asked = await run("openssl", ["req", "-new", "-key", at(`${name}.key`), "-subj", subject]);
  await run(
    "openssl",
    [
      ...["x509", "-req", "-CA", at(`${authority}.crt`), "-CAkey", at(`${authority}.key`)],
      ...["-days", days],
      ...["-set_serial", `0x${Buffer.from(name).toString("hex").slice(0, 30)}`],
      ...["-extfile", at(`${name}.ext`), "-out", at(`${name}.crt`)],
    ],
    { input: asked },
  );
}

async function makeKey(file: string): Promise<void> {
  const args = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file];
  await run("openssl", args);
}

/** A kubeconfig with everything in it, for the holder of the certificate `user`. */
export async function kubeconfig(layout: Layout, user: string): Promise<string> {
  const base64 = async (file: string) => {
    return (await readFile(path.join(layout.pki, file))).toString("base64");
  };
  const name = `lockstep-${layout.spec.name}`;
  const cluster = { server: layout.apiUrl, "certificate-authority-data": await base64("ca.crt") };
  const credentials = {
    "client-certificate-data": await base64(`${user}.crt`),
    "client-key-data": await base64(`${user}.key`),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name, context: { cluster: name, user } }],
    "current-context": name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
