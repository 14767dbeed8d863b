// Puts the model of a zone's cache on the gateway's way out: inside the world's server, or as a Worker where calls go out
// to the network. A call that asks nothing of the cache passes untouched, so that what backends do on the wire stays as
// it is.
import { request as httpRequest } from "node:http";
import { text } from "./files.mjs";
import { asksNothing, cutToRequest, ZoneCache } from "./zone-cache.mjs";

/** The field in which workerd tells the world's server the `cf` of a call. */
export const CF_FIELD = "x-test-cf";
export const ZONE_WORKER = "zone";

/** Reads the `cf` of a call and takes its field off, so that no record of the world has it. */
function takeCf(request) {
  const written = request.headers[CF_FIELD];
  delete request.headers[CF_FIELD];
  const at = request.rawHeaders.findIndex((name) => name.toLowerCase() === CF_FIELD);
  if (at >= 0) request.rawHeaders.splice(at, 2);
  return written === undefined ? undefined : JSON.parse(written);
}

/** The whole answer of the world's server to the same request as a GET. */
function askWorld({ socket, url, rawHeaders }) {
  const headers = Object.fromEntries(
    pairs(rawHeaders).filter(([name]) => !/^(connection|range|content-length|transfer-encoding)$/i.test(name)),
  );
  headers[CF_FIELD] = JSON.stringify({ cacheTtl: -1 });
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port: socket.localPort, path: url, headers, agent: false },
      async (answer) => {
        try {
          resolve({
            status: answer.statusCode,
            fields: pairs(answer.rawHeaders),
            body: Buffer.concat(await answer.toArray()),
          });
        } catch (error) {
          reject(error);
        }
      },
    );
    call.on("error", reject);
    call.end();
  });
}

const pairs = (raw) => raw.flatMap((_, at) => (at % 2 === 0 ? [[raw[at], raw[at + 1]]] : []));

/**
 * The zone. `consulted` holds the URLs of calls that the cache was asked for, which are calls that did not say that they
 * want nothing of it: the gateway makes none.
 */
export function createZone() {
  const cache = new ZoneCache();
  const consulted = [];
  return {
    cache,
    consulted,
    /** For createWorld: `next` lets the world answer. */
    async intercept(request, response, next) {
      const cf = takeCf(request);
      if (asksNothing(cf)) return next();
      const url = `http://${request.headers.host}${request.url}`;
      consulted.push(url);
      if (response === undefined || !cache.serves({ method: request.method, url, cf })) return next();
      let answer = cache.find(url);
      if (answer === undefined) {
        answer = await askWorld(request);
        cache.keep(url, answer, request.headers.authorization !== undefined);
      }
      const { status, fields, body } = cutToRequest(answer, request.method, request.headers.range);
      return response.writeHead(status, fields.flat()).end(body);
    },
    /** The same as a Worker. */
    worker: {
      name: ZONE_WORKER,
      modules: [
        { type: "ESModule", path: "zone-worker.mjs", contents: WORKER },
        { type: "ESModule", path: "zone-cache.mjs", contents: text("tests/workerd/support/zone-cache.mjs") },
      ],
      compatibilityDate: "2026-07-30",
      compatibilityFlags: ["enable_request_signal"],
      serviceBindings: {
        CONSULTED: async (request) => {
          consulted.push(await request.text());
          return new Response();
        },
      },
    },
  };
}

const WORKER = `
import { ZoneCache, asksNothing, cutToRequest } from "./zone-cache.mjs";
const cache = new ZoneCache();

export default {
  async fetch(request, env) {
    const { url, method, headers, cf } = request;
    if (asksNothing(cf)) return fetch(request);
    await env.CONSULTED.fetch("http://consulted/", { method: "POST", body: url });
    if (!cache.serves({ method, url, cf })) return fetch(request);
    let answer = cache.find(url);
    if (answer === undefined) {
      const whole = new Headers(headers);
      whole.delete("range");
      const got = await fetch(url, { headers: whole, redirect: "manual" });
      answer = { status: got.status, fields: [...got.headers], body: new Uint8Array(await got.arrayBuffer()) };
      cache.keep(url, answer, headers.has("authorization"));
    }
    const { status, fields, body } = cutToRequest(answer, method, headers.get("range"));
    return new Response(body, { status, headers: fields });
  },
};
`;
