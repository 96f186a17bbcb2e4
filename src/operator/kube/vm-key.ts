/** By which the operator's shell knows a VM: `namespace/name`. */
export function vmKey(vm: {
  readonly metadata: { readonly namespace: string; readonly name: string };
}): string {
  return `${vm.metadata.namespace}/${vm.metadata.name}`;
}

export function partsOfKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
