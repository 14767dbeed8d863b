// The load generator: keeps so many connections busy, one request at a time on each, and takes down how long each took.
// A process of its own; it does what its parent sends it and answers with what it saw.
import { connect } from "node:net";
import { credentials } from "./callers.mjs";

/** @import { LoadOrder, LoadSeen } from "../types.d.ts" */

const END = Buffer.from("\r\n\r\n");

process.on("message", async (order) => {
  const seen = run(/** @type {Parameters<typeof run>[0]} */ (order));
  process.send?.(await seen.catch((error) => ({ error: error.message })));
});
process.on("disconnect", () => process.exit(0));

/** Requests that were asked for before, by what was asked. */
const kept = new Map();

/** @param {Pick<LoadOrder, "head" | "credentials">} order */
function requestsOf({ head: { before, after }, credentials: wanted }) {
  if (wanted === undefined) return [Buffer.from(`${before}none${after}`)];
  const make = () => credentials(wanted).map((credential) => Buffer.from(`${before}${credential}${after}`, "latin1"));
  if (wanted.kind === "new-token" || (wanted.from ?? 0) > 0) return make();
  const name = JSON.stringify([before, after, wanted]);
  if (!kept.has(name)) kept.set(name, make());
  return kept.get(name);
}

/**
 * `count` requests, or as many as go into `seconds`; `keepBody` gives the last answer's body.
 * @param {LoadOrder & { connections: number }} order
 * @returns {Promise<LoadSeen>}
 */
async function run({ port, connections, count = Infinity, seconds = Infinity, keepBody = false, ...order }) {
  const requests = requestsOf(order);
  const latencies = [];
  /** @type {Record<string, number>} */
  const statuses = {};
  let sent = 0;
  let failed = 0;
  let odd;
  let lastBody;
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const until = began + seconds * 1000;
  const take = () => (sent < count && performance.now() < until ? requests[sent++ % requests.length] : undefined);
  const note = (status, milliseconds, body) => {
    latencies.push(milliseconds);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (keepBody) lastBody = body();
    if (status !== 200) odd ??= `${status} ${body().slice(0, 300)}`;
  };
  const lost = () => (failed += 1);
  await Promise.all(Array.from({ length: connections }, () => keepBusy(port, take, note, lost)));
  const milliseconds = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    requests: latencies.length,
    failed,
    milliseconds,
    statuses,
    odd,
    body: lastBody,
    cpu: user + system,
    ...quantiles(latencies),
  };
}

function quantiles(latencies) {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)];
  return { p50: at(0.5), p99: at(0.99) };
}

/** One connection, opened again where it is closed, until there is nothing more to send. */
async function keepBusy(port, take, note, lost) {
  for (let request = take(); request !== undefined; ) {
    request = await onOneConnection(port, request, take, note, lost);
  }
}

/** Resolves when there is nothing more to send, or to the next request where the connection was lost. */
function onOneConnection(port, first, take, note, lost) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let sentAt = performance.now();
    let bytes;
    let done = false;
    const finish = (next) => {
      if (done) return;
      done = true;
      socket.destroy();
      resolve(next);
    };
    const broken = () => {
      if (done) return;
      lost();
      finish(take());
    };
    socket.on("connect", () => socket.write(first));
    socket.on("error", broken);
    socket.on("close", broken);
    socket.on("data", (data) => {
      bytes = bytes ? Buffer.concat([bytes, data]) : data;
      const answer = whole(bytes);
      if (answer === undefined) return;
      bytes = undefined;
      const now = performance.now();
      note(answer.status, now - sentAt, answer.body);
      const next = take();
      if (next === undefined) return finish();
      sentAt = now;
      socket.write(next);
    });
  });
}

/** The answer, if all of it is there. */
function whole(bytes) {
  const end = bytes.indexOf(END);
  if (end < 0) return undefined;
  const head = bytes.latin1Slice(0, end);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const from = end + END.length;
  if (length !== undefined) {
    const to = from + Number(length);
    return bytes.length < to ? undefined : { status, body: () => bytes.toString("utf8", from, to) };
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const complete = bytes.latin1Slice(Math.max(bytes.length - 7, from)).endsWith("0\r\n\r\n");
    return complete ? { status, body: () => bytes.toString("utf8", from) } : undefined;
  }
  return { status, body: () => "" };
}
