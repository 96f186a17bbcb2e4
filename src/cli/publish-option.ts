/** The guest's network as `lockstep up` takes it on the command line. */
import { InvalidArgumentError } from "commander";
import { type PublishedPort, parsePublishedPort } from "../gateway/published-port.ts";

export type NetworkOption = "auto" | "off";

/** Collects what several `--publish` say. */
export function parsePublish(text: string, before: readonly PublishedPort[]): PublishedPort[] {
  const port = parsePublishedPort(text);
  if (port === null) {
    throw new InvalidArgumentError(
      'expected [host:]hostPort:guestPort[/udp], such as "8080:80" or "0.0.0.0:5353:53/udp"',
    );
  }
  return [...before, port];
}

export function parseNetwork(text: string): NetworkOption {
  if (text === "auto" || text === "off") return text;
  throw new InvalidArgumentError('expected "auto" or "off"');
}
