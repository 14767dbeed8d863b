// An echo backend: says what reached it. The last parts of the path can ask for other answers:
//   /status/503   that status       /redirect?to=URL   302 there      /slow?ms=2000   the same answer, later
//   /sse?n=3&ms=100   events        /bytes/1048576     that many bytes /mirror        the body, streamed back
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { Arrival } from "./types.d.ts" */

const CHUNK = Buffer.alloc(64 * 1024, "pointsman ");

/**
 * Raw header fields as pairs, in the order and spelling in which they came.
 * @type {(raw: string[]) => [name: string, value: string][]}
 */
export const headerPairs = (raw) => Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);

// By hand: a request target like //x or one with odd bytes is legal here and not for `new URL`.
/** @param {string} url */
function target(url) {
  const [path, query = ""] = url.split(/\?(.*)/s);
  return { path, query: new URLSearchParams(query) };
}

/** @type {(text: string | null | undefined, otherwise: number) => number} */
const number = (text, otherwise) => (/^\d+$/.test(text ?? "") ? Number(text) : otherwise);

/**
 * Reads the body to its end, keeping nothing of it but its size and digest.
 * @param {IncomingMessage} request
 * @param {Arrival} arrival
 */
async function consume(request, arrival) {
  const digest = createHash("sha256");
  for await (const chunk of request) {
    arrival.bodyBytes += chunk.length;
    digest.update(chunk);
  }
  arrival.bodySha256 = digest.digest("hex");
}

/**
 * @param {ServerResponse} response
 * @param {URLSearchParams} query
 */
async function events(response, query) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const count = number(query.get("n"), 3);
  for (let i = 1; i <= count && !response.destroyed; i++) {
    response.write(`id: ${i}\ndata: event ${i}\n\n`);
    await sleep(number(query.get("ms"), 200));
  }
  response.end();
}

/** @param {number} total */
function* bytes(total) {
  for (let left = total; left > 0; left -= CHUNK.length) yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
}

/**
 * Answers one request as the backend of that name. `record` is the world's note of it, filled in on the way.
 * @param {string} name
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 * @param {Arrival} record
 */
export async function echo(name, request, response, record) {
  response.setHeader("x-backend", name);
  const { path, query } = target(record.url);

  if (/\/mirror$/.test(path)) {
    response.writeHead(200, { "content-type": request.headers["content-type"] ?? "application/octet-stream" });
    return pipeline(request, response);
  }
  await consume(request, record);
  if (/\/sse$/.test(path)) return events(response, query);
  if (/\/slow$/.test(path)) await sleep(number(query.get("ms"), 1000));

  const size = /\/bytes\/(\d{1,10})$/.exec(path);
  if (size) {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size[1] });
    return pipeline(bytes(Number(size[1])), response);
  }
  if (/\/redirect$/.test(path)) {
    response.writeHead(302, { location: query.get("to") ?? "/" });
    return response.end();
  }
  const status = number(/\/status\/([2-9]\d\d)$/.exec(path)?.[1], 200);
  response.writeHead(status, { "content-type": "application/json" });
  // These statuses have no body on the wire.
  if (status === 204 || status === 205 || status === 304) return response.end();
  const { host, method, url, headers, bodyBytes, bodySha256 } = record;
  return response.end(
    `${JSON.stringify({ backend: name, host, method, url, headers, bodyBytes, bodySha256 }, null, 2)}\n`,
  );
}
