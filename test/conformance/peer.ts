/**
 * The world outside the guest's network card, made by hand: it answers ARP, pings, floods, and
 * speaks so much TCP as a client of `tcp-echo` needs. No clock and no retransmission: its frames
 * reach the guest, or a test shows that they do not.
 */
const peerMac = Uint8Array.of(0x02, 0, 0, 0, 0, 0x01);
const broadcast = new Uint8Array(6).fill(0xff);
const peerIp = Uint8Array.of(192, 168, 127, 1);
const guestIp = Uint8Array.of(192, 168, 127, 2);
const etherTypes = { ipv4: 0x0800, arp: 0x0806 } as const;
const protocols = { icmp: 1, tcp: 6 } as const;
const ethernetBytes = 14;
const ipv4Bytes = 20;
const tcpBytes = 20;
const flags = { fin: 1, syn: 2, push: 8, acknowledge: 16 } as const;
const clientPort = 40_000;
const echoPort = 7;
const window = 8_192;

export class Peer {
  /** Frames for the guest. */
  readonly queue: Uint8Array[] = [];
  /** Numbers of the pings that were answered, in the order of the answers. */
  readonly pings: number[] = [];
  /** Gratuitous or not: ARP packets of the guest, that it answered a request with. */
  arpReplies = 0;
  /** What `tcp-echo` has sent back. */
  echoed = "";
  /** Packets of the guest whose checksum was wrong. */
  badChecksums = 0;
  isConnected = false;
  /** The address that the guest's last frame came from. */
  guestMac: Uint8Array = broadcast;
  #next = 1_000;
  #expected = 0;

  /** Asks for the guest's address, `count` times. */
  requestAddress(count: number): void {
    for (let i = 0; i < count; i++) this.#arp(1, broadcast);
  }

  ping(number: number): void {
    const data = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, number, 1, 2, 3, 4, 5);
    this.#ipv4(protocols.icmp, withChecksum(data, 2, 0));
  }

  connect(): void {
    this.#tcp(flags.syn, "");
  }

  /** To `tcp-echo`, over the connection. */
  send(text: string): void {
    this.#tcp(flags.acknowledge | flags.push, text);
  }

  onFrame(frame: Uint8Array): void {
    this.guestMac = frame.slice(6, 12);
    const etherType = word(frame, 12);
    const payload = frame.subarray(ethernetBytes);
    if (etherType === etherTypes.arp) this.#onArp(payload);
    if (etherType === etherTypes.ipv4) this.#onIpv4(payload.subarray(0, word(payload, 2)));
  }

  #onArp(packet: Uint8Array): void {
    const operation = word(packet, 6);
    if (operation === 2) this.arpReplies++;
    if (operation === 1) this.#arp(2, this.guestMac);
  }

  #onIpv4(packet: Uint8Array): void {
    const payload = packet.subarray(ipv4Bytes);
    if (onesSum(packet.subarray(0, ipv4Bytes), 0) !== 0xffff) this.badChecksums++;
    if (packet[9] === protocols.icmp) {
      if (onesSum(payload, 0) !== 0xffff) this.badChecksums++;
      if (payload[0] === 0) this.pings.push(word(payload, 6));
    }
    if (packet[9] === protocols.tcp) this.#onTcp(payload);
  }

  #onTcp(segment: Uint8Array): void {
    if (onesSum(segment, pseudoHeader(segment.length)) !== 0xffff) this.badChecksums++;
    const set = segment[13] ?? 0;
    const data = segment.subarray(4 * ((segment[12] ?? 0) >> 4));
    if ((set & flags.syn) !== 0) {
      this.#expected = long(segment, 4) + 1;
      this.isConnected = true;
    } else if (data.length > 0 && long(segment, 4) === this.#expected >>> 0) {
      this.echoed += new TextDecoder().decode(data);
      this.#expected += data.length;
    } else return;
    this.#tcp(flags.acknowledge, "");
  }

  #tcp(set: number, text: string): void {
    const data = new TextEncoder().encode(text);
    const segment = new Uint8Array(tcpBytes + data.length);
    const view = new DataView(segment.buffer);
    view.setUint16(0, clientPort);
    view.setUint16(2, echoPort);
    view.setUint32(4, this.#next);
    view.setUint32(8, this.isConnected ? this.#expected : 0);
    view.setUint16(12, 0x5000 | set);
    view.setUint16(14, window);
    segment.set(data, tcpBytes);
    // One more for the SYN. No checksum: the guest takes the card's word, which is what is tested.
    this.#next += data.length + (set === flags.syn ? 1 : 0);
    this.#ipv4(protocols.tcp, segment);
  }

  #arp(operation: number, target: Uint8Array): void {
    const packet = [0, 1, 8, 0, 6, 4, 0, operation, ...peerMac, ...peerIp, ...target, ...guestIp];
    this.#frame(target, etherTypes.arp, Uint8Array.from(packet));
  }

  #ipv4(protocol: number, payload: Uint8Array): void {
    const packet = new Uint8Array(ipv4Bytes + payload.length);
    packet.set([0x45, 0, packet.length >> 8, packet.length & 0xff, 0, 0, 0x40, 0, 64, protocol]);
    packet.set(peerIp, 12);
    packet.set(guestIp, 16);
    packet.set(withChecksum(packet.subarray(0, ipv4Bytes), 10, 0));
    packet.set(payload, ipv4Bytes);
    this.#frame(this.guestMac, etherTypes.ipv4, packet);
  }

  #frame(target: Uint8Array, etherType: number, packet: Uint8Array): void {
    const header = [...target, ...peerMac, etherType >> 8, etherType & 0xff];
    this.queue.push(Uint8Array.from([...header, ...packet]));
  }
}

function withChecksum(bytes: Uint8Array, at: number, before: number): Uint8Array {
  const checksum = ~onesSum(bytes, before) & 0xffff;
  const complete = bytes.slice();
  complete.set([checksum >> 8, checksum & 0xff], at);
  return complete;
}

function pseudoHeader(length: number): number {
  const words = [...peerIp, ...guestIp, 0, protocols.tcp, length >> 8, length & 0xff];
  return onesSum(Uint8Array.from(words), 0);
}

function onesSum(bytes: Uint8Array, before: number): number {
  let sum = before;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += word(bytes, at);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function long(bytes: Uint8Array, at: number): number {
  return word(bytes, at) * 65_536 + word(bytes, at + 2);
}
