// The page of a pair: shows what the server tells about both halves, and is a terminal for the
// guest's console. Everything comes from this page's own server.
import { FitAddon } from "./@xterm/addon-fit/lib/addon-fit.mjs";
import { Terminal } from "./@xterm/xterm/lib/xterm.mjs";

const reconnectMs = 1000;
/** Samples of the log's bandwidth, one per look. */
const samplesMax = 120;
const eventsMax = 200;
/** Two looks closer than this say little about a rate. */
const sampleSecondsMin = 0.1;

const byId = (id) => document.getElementById(id);
const address = (where) => `ws://${location.host}/${where}`;

/** Status and events, again and again for as long as the page is open. */
function showLive() {
  const log = new Bandwidth();
  const socket = new WebSocket(address("live"));
  byId("events").replaceChildren();
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if (told.kind === "event") showEvent(told);
    else showView(told.view, log);
  };
  socket.onclose = () => {
    showState("not connected", "gone");
    setTimeout(showLive, reconnectMs);
  };
}

function showView(view, log) {
  byId("name").textContent = view.name;
  document.title = `Lockstep ${view.name}`;
  for (const half of view.halves) showHalf(half, view.record);
  const primary = view.halves.find((half) => half.nonce && half.nonce === view.record?.primary);
  const status = primary?.status ?? null;
  if (status === null) showState("no primary", "gone");
  else if (view.record.backup === null) {
    showState(status.transfers.running ? "transferring state" : "alone", "alone");
  } else showState("redundant", "redundant");
  if (status !== null) showFigures(status, view.record, log);
  showNetwork(view);
  showReadiness(view.guest);
}

function showNetwork({ network, halves }) {
  const { text, state } = gatewayState(network, halves);
  byId("network-state").textContent = text;
  byId("network-state").dataset.state = state;
  const ports = (network?.ports ?? []).map(({ host, hostPort, guestPort, protocol }) => {
    const item = document.createElement("li");
    item.textContent = `${host}:${hostPort} → ${protocol.toUpperCase()} ${guestPort}`;
    return item;
  });
  byId("network-ports").replaceChildren(...ports);
  byId("network-frames").textContent = framesText(network?.status ?? null);
  const attached = halves.find(
    ({ status }) => status?.role === "primary" && status.network.attached,
  );
  byId("network-hold").textContent = holdText(attached?.status.network.holdMs ?? null);
}

/** How long the Output Rule held the guest's frames. */
function holdText(held) {
  return held === null ? "" : `held ${held.p50.toFixed(1)} / ${ms(held.p99)} (p50 / p99)`;
}

function gatewayState(network, halves) {
  if (network === null) return { text: "none", state: "none" };
  if (network.pid === null) return { text: "the gateway is gone", state: "gone" };
  if (network.status === null) return { text: "the gateway does not answer", state: "gone" };
  const { attached, epoch, gvproxy } = network.status;
  if (gvproxy.pid === null) return { text: "gvproxy is gone", state: "gone" };
  if (attached === null) return { text: "no runner is attached", state: "waiting" };
  const half = halves.find(({ nonce }) => nonce === attached);
  const who = half === undefined ? attached : `runner ${half.id}`;
  return { text: `${who} attached, epoch ${epoch}`, state: "attached" };
}

function framesText(status) {
  if (status === null) return "";
  const { ingressFrames, egressFrames } = status.counters;
  const { ingressExpired, ingressDropped, egressDropped } = status.counters;
  const dropped = ingressExpired + ingressDropped + egressDropped;
  const [to, from] = [ingressFrames, egressFrames].map((count) => count.toLocaleString("en"));
  return `${to} frames to the guest, ${from} from it, ${dropped.toLocaleString("en")} dropped`;
}

function showReadiness(guest) {
  if (guest === null) return;
  byId("guest-ready").textContent = guest.ready
    ? `guest ready (${guest.waitsFor})`
    : `guest not ready yet: waiting for ${guest.waitsFor}`;
}

function showState(text, state) {
  const badge = byId("state");
  badge.textContent = text;
  badge.dataset.state = state;
}

function showHalf({ id, pid, nonce, status }, record) {
  const card = document.querySelector(`.half[data-half="${id}"]`);
  const role = status?.role ?? (pid === null ? "gone" : "starting");
  card.dataset.role = role;
  const fields = {
    role,
    step: status === null ? "–" : Math.max(0, status.step).toLocaleString("en"),
    virtual: status === null ? "–" : `${(status.virtualMs / 1000).toFixed(1)} s`,
    pid: pid ?? "–",
    nonce: nonce ?? "–",
  };
  for (const [field, text] of Object.entries(fields)) {
    card.querySelector(`[data-field="${field}"]`).textContent = text;
  }
  const named = nonce !== null && record !== null ? roleInRecord(nonce, record) : null;
  const button = card.querySelector("button");
  button.disabled = named === null;
  button.textContent = named === null ? "Kill with SIGKILL" : `Kill the ${named} with SIGKILL`;
  button.onclick = () => kill(named);
}

function roleInRecord(nonce, record) {
  if (record.primary === nonce) return "primary";
  return record.backup === nonce ? "backup" : null;
}

async function kill(role) {
  const response = await fetch(`kill/${role}`, { method: "POST" });
  const answer = await response.json();
  const text = response.ok
    ? `this page killed the ${role}: runner ${answer.half} (pid ${answer.pid})`
    : answer.message;
  showEvent({ atMs: Date.now(), text });
}

function showFigures(status, record, log) {
  const { outputHoldMs, transfers } = status;
  byId("hold").textContent = `${outputHoldMs.p50.toFixed(1)} / ${ms(outputHoldMs.p99)}`;
  byId("lag").textContent = record.backup === null ? "–" : ms(status.lagMs);
  byId("lag-entries").textContent =
    record.backup === null ? "no backup" : `${status.lagEntries} entries behind`;
  byId("cpu").textContent = `${Math.round(status.cpuLimit * 100)} %`;
  byId("takeovers").textContent = record.takeovers;
  byId("epoch").textContent = `epoch ${record.epoch}`;
  byId("transfers").textContent = transfers.finished;
  if (transfers.finished > 0) {
    byId("transfer-last").textContent =
      `last ${ms(transfers.lastMs)}, guest paused ${ms(transfers.lastPauseMs)}`;
  }
  log.add(status);
}

/** How fast the log grows, and its recent past as a line. */
class Bandwidth {
  #last = null;
  #samples = [];

  add({ nonce, logBytes }) {
    const now = performance.now();
    if (this.#last?.nonce === nonce) {
      const seconds = (now - this.#last.at) / 1000;
      if (seconds < sampleSecondsMin) return;
      const rate = (Math.max(0, logBytes - this.#last.bytes) * 8) / seconds;
      this.#samples.push(rate);
      if (this.#samples.length > samplesMax) this.#samples.shift();
      this.#show();
    }
    this.#last = { nonce, at: now, bytes: logBytes };
  }

  #show() {
    // A second's mean is steady enough to be read.
    const recent = this.#samples.slice(-5);
    const mean = recent.reduce((sum, rate) => sum + rate, 0) / recent.length;
    byId("bandwidth").textContent =
      mean >= 1e6 ? `${(mean / 1e6).toFixed(2)} Mbit/s` : `${(mean / 1e3).toFixed(1)} kbit/s`;
    const top = Math.max(...this.#samples, 1);
    const points = this.#samples.map((rate, i) => {
      const x = (i / (samplesMax - 1)) * 120;
      return `${x.toFixed(1)},${(27 - (rate / top) * 25).toFixed(1)}`;
    });
    const end = ((this.#samples.length - 1) / (samplesMax - 1)) * 120;
    byId("spark-line").setAttribute("d", `M${points.join("L")}`);
    byId("spark-area").setAttribute("d", `M0,28L${points.join("L")}L${end.toFixed(1)},28Z`);
  }
}

function ms(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** The newest first. */
function showEvent({ atMs, text }) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const at = new Date(atMs);
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString("en-GB");
  const words = document.createElement("span");
  words.textContent = text;
  item.append(time, words);
  byId("events").prepend(item);
  while (byId("events").children.length > eventsMax) byId("events").lastChild.remove();
}

/** The guest's console; the server keeps it attached to whichever half is the primary. */
function showConsole() {
  const terminal = new Terminal({
    fontSize: 13,
    fontFamily: '"DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace',
    cursorBlink: true,
    scrollback: 5000,
    convertEol: false,
    theme: { background: "#11151c", foreground: "#e7eaf0" },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(byId("terminal"));
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(byId("terminal"));
  let socket = null;
  terminal.onData((text) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(new TextEncoder().encode(text));
  });
  const connect = () => {
    socket = new WebSocket(address("console"));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => terminal.reset();
    socket.onmessage = ({ data }) => terminal.write(new Uint8Array(data));
    socket.onclose = () => setTimeout(connect, reconnectMs);
  };
  connect();
}

showLive();
showConsole();
