/** Which words may name things: they become file names, TLS identities and parts of addresses. */

/** A VM's unique id. It cannot leave a directory: no dot, no slash, never empty. */
export const vmIdPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** A runner's nonce: random digits, on Kubernetes behind the name of its pod. */
export const noncePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function isVmId(text: string): boolean {
  return vmIdPattern.test(text);
}
