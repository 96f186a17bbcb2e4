/**
 * Where the other half is. On one computer that is fixed. On Kubernetes a runner is a pod whose address
 * nobody can know before, so it is learned: from the record (whoever changes it writes where the
 * runners are), and from whoever has shown the VM's key. A nonce names one process, which never moves,
 * so what was learned of it stays true.
 */
import { isIPv6 } from "node:net";
import type { Nonce } from "../../shared/protocol/record.ts";
import type { Address } from "./endpoint.ts";

export interface PeerPlaces {
  /** Where the runner `nonce` listens; null: that is not known, or nobody is meant. */
  placeOf(nonce: Nonce | null): Address | null;
  /** `nonce` has shown the VM's key, from `host`. */
  heard(nonce: Nonce, host: string): void;
}

export function fixedPeer(peer: Address): PeerPlaces {
  return { placeOf: () => peer, heard: () => {} };
}

/** The two halves, those just restarted, and strangers of the VM that tried to join. */
const peersMax = 16;

export interface OwnPlace {
  readonly nonce: Nonce;
  /** Where the others reach this runner. */
  readonly host: string;
  /** On which all runners of the VM listen. */
  readonly port: number;
}

export class LearnedPeers implements PeerPlaces {
  readonly #own: OwnPlace;
  /** By the record, which was told by the runner itself or by its partner. */
  #named: ReadonlyMap<Nonce, Address> = new Map();
  /** The one longest unheard of comes first. */
  readonly #heard = new Map<Nonce, Address>();

  constructor(own: OwnPlace) {
    this.#own = own;
  }

  placeOf(nonce: Nonce | null): Address | null {
    if (nonce === null || nonce === this.#own.nonce) return null;
    return this.#named.get(nonce) ?? this.#heard.get(nonce) ?? null;
  }

  heard(nonce: Nonce, host: string): void {
    const plain = plainHost(host);
    const known = this.#heard.get(nonce);
    this.#heard.delete(nonce);
    this.#heard.set(nonce, known?.host === plain ? known : this.#place(plain));
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > peersMax && oldest !== undefined) this.#heard.delete(oldest);
  }

  /** As the record says now. Whoever is named no more may still have been heard. */
  named(hosts: ReadonlyMap<Nonce, string>): void {
    this.#named = new Map([...hosts].map(([nonce, host]) => [nonce, this.#place(plainHost(host))]));
  }

  /** For the record; null: not known. */
  hostOf(nonce: Nonce): string | null {
    if (nonce === this.#own.nonce) return this.#own.host;
    return this.placeOf(nonce)?.host ?? null;
  }

  #place(host: string): Address {
    return { host, port: this.#own.port };
  }
}

/** An IPv4 address that a socket of both families says as ::ffff:10.0.0.1 is 10.0.0.1. */
export function plainHost(host: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(host);
  return mapped?.[1] ?? host;
}

/** `host:port`, as it is written. */
export function placeText({ host, port }: Address): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
