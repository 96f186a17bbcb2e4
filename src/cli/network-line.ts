/** The guest's network in words: `lockstep status`, and what `up` prints. */
import { localAddress, type PublishedPort } from "../gateway/published-port.ts";
import type { GatewayStatusCounters } from "../shared/protocol/gateway-status.ts";
import type { GuestView, NetworkView } from "./pair/events.ts";

/** Where a published port is reached. */
export function portLine(port: PublishedPort): string {
  const protocol = port.protocol.toUpperCase();
  return `${localAddress(port)} leads to ${protocol} port ${port.guestPort} of the guest`;
}

/** `whose` says which half a nonce is. */
export function networkLines(
  network: NetworkView | null,
  whose: (nonce: string) => string,
): string[] {
  if (network === null) return ["network: none"];
  return [
    `network: ${trafficText(network, whose)}`,
    ...network.ports.map((p) => `  ${portLine(p)}`),
  ];
}

function trafficText({ pid, status }: NetworkView, whose: (nonce: string) => string): string {
  if (pid === null) return "the gateway is not running";
  if (status === null) return `the gateway (pid ${pid}) does not answer`;
  const { attached, epoch, counters, gvproxy } = status;
  const parts = [
    `gateway pid ${pid}`,
    gvproxy.pid === null ? "gvproxy is not running" : `gvproxy pid ${gvproxy.pid}`,
    attached === null
      ? "no runner is attached"
      : `runner ${whose(attached)} attached (epoch ${epoch})`,
    `${counters.ingressFrames} frames to the guest, ${counters.egressFrames} from it`,
    `${droppedFrames(counters)} dropped`,
  ];
  if (counters.egressForbidden > 0)
    parts.push(`${counters.egressForbidden} to forbidden addresses`);
  return parts.join(", ");
}

/** What was lost on the way, as on any network; not what was fenced or had come already. */
function droppedFrames(counters: GatewayStatusCounters): number {
  const { ingressExpired, ingressDropped, egressDropped } = counters;
  return ingressExpired + ingressDropped + egressDropped;
}

export function guestLine({ ready, waitsFor }: GuestView): string {
  return ready ? `guest: ready (${waitsFor})` : `guest: not ready yet (waiting for ${waitsFor})`;
}
