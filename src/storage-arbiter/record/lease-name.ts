/** Which Lease is meant. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

const labelPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomainPattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** From "namespace/name"; null: it is none. Both come into an address, so nothing else is let through. */
export function parseLeaseName(text: string): LeaseName | null {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (rest.length > 0 || !labelPattern.test(namespace) || !subdomainPattern.test(name)) return null;
  return { namespace, name };
}
