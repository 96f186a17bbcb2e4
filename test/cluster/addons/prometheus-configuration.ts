/**
 * What a Prometheus outside the cluster scrapes: every address is written down, since Debian's is
 * built without the discovery of Kubernetes. A function of the addresses and the files alone.
 */

export interface PrometheusTargets {
  /** Host and port of the API server. */
  readonly apiServer: string;
  /** Of each node, its name and the host and port of its kubelet. */
  readonly kubelets: Readonly<Record<string, string>>;
  readonly pki: ClientFiles;
  readonly others?: readonly ScrapeJob[];
  readonly intervalMs?: number;
}

/** Files of a client certificate that the API server and the kubelets obey. */
interface ClientFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Further targets, such as pods or Services, by host and port. */
interface ScrapeJob {
  readonly name: string;
  readonly targets: readonly string[];
  readonly scheme?: "http" | "https";
  readonly path?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const defaultIntervalMs = 2000;

/** The text of the configuration file; JSON is YAML. */
export function prometheusConfiguration(targets: PrometheusTargets): string {
  const { apiServer, kubelets, pki, others = [], intervalMs = defaultIntervalMs } = targets;
  const cluster = { scheme: "https", tls_config: tls(pki) };
  const nodes = Object.entries(kubelets).map(([node, address]) => {
    return { targets: [address], labels: { node } };
  });
  const jobs = [
    { job_name: "apiserver", ...cluster, static_configs: [{ targets: [apiServer] }] },
    { job_name: "kubelet", ...cluster, static_configs: nodes },
    { job_name: "cadvisor", ...cluster, metrics_path: "/metrics/cadvisor", static_configs: nodes },
    ...others.map(otherJob),
  ];
  const interval = `${intervalMs}ms`;
  const global = { scrape_interval: interval, scrape_timeout: interval };
  return `${JSON.stringify({ global, scrape_configs: jobs }, null, 2)}\n`;
}

function tls({ ca, certificate, key }: ClientFiles) {
  return { ca_file: ca, cert_file: certificate, key_file: key };
}

function otherJob({ name, targets, scheme = "http", path = "/metrics", labels = {} }: ScrapeJob) {
  return {
    job_name: name,
    scheme,
    metrics_path: path,
    static_configs: [{ targets, labels }],
  };
}
