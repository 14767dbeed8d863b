// The world outside the gateway, on loopback: one server that gets every outbound call of the Worker (https too) and
// lets the host decide who answers. Miniflare sends them here with
//   outboundService: { external: { address: world.address, http: {} } }
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { createConfigApi } from "./config-api.mjs";
import { echo, headerPairs } from "./echo.mjs";
import { BACKEND_HOSTS, backendName, CONFIG_API_HOST, ISSUER_HOST, withoutPort } from "./hosts.mjs";
import { createIssuer } from "./issuer.mjs";

/** @import { IncomingMessage, Server, ServerResponse } from "node:http" */
/** @import { AddressInfo } from "node:net" */
/** @import { Duplex } from "node:stream" */
/** @import { Arrival, Handler, Intercept, World } from "./types.d.ts" */

// Enough for any test, and a demo that runs for days does not grow.
const RECORDS_KEPT = 5000;

/**
 * `ownPorts`: every demo backend also listens on a port of its own, so that it can be called without the gateway.
 * `intercept` answers by itself, or calls `next`.
 * @param {{ port?: number, ownPorts?: boolean, intercept?: Intercept }} [options]
 * @returns {World}
 */
export function createWorld({
  port = 0,
  ownPorts = false,
  intercept = async (_request, _response, next) => next(),
} = {}) {
  const configApi = createConfigApi();
  const issuer = createIssuer();
  /** @type {Map<string, Handler>} */
  const replaced = new Map();
  /** @type {Arrival[]} */
  const requests = [];
  /** @type {Server[]} */
  const servers = [];
  const sockets = new WebSocketServer({ noServer: true });

  /**
   * @param {IncomingMessage} request
   * @param {string} [fixedHost]
   */
  function note(request, fixedHost) {
    const host = withoutPort(fixedHost ?? request.headers.host);
    /** @type {Arrival} */
    const record = {
      host,
      backend: backendName(host),
      method: request.method,
      url: request.url ?? "/",
      headers: headerPairs(request.rawHeaders),
      bodyBytes: 0,
      bodySha256: undefined,
    };
    requests.push(record);
    if (requests.length > RECORDS_KEPT) requests.shift();
    return record;
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   * @param {string} [fixedHost]
   */
  async function dispatch(request, response, fixedHost) {
    const record = note(request, fixedHost);
    const { host, backend } = record;
    const instead = replaced.get(host);
    if (instead) return instead(request, response, record);
    if (host === CONFIG_API_HOST) return configApi.handle(request, response);
    if (host === ISSUER_HOST) return issuer.handle(request, response);
    if (backend) return echo(backend, request, response, record);
    // As a host that is not there: no answer at all.
    return request.socket.destroy();
  }

  /**
   * @param {IncomingMessage} request
   * @param {Duplex} socket
   * @param {Buffer} head
   * @param {string} [fixedHost]
   */
  function upgrade(request, socket, head, fixedHost) {
    const record = note(request, fixedHost);
    if (!record.backend) return socket.destroy();
    return sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("message", (data, isBinary) => connection.send(data, { binary: isBinary }));
      // Frames that are none end the connection, not the world.
      connection.on("error", () => connection.terminate());
    });
  }

  /**
   * @param {number} atPort
   * @param {string} [fixedHost]
   * @returns {Promise<number>}
   */
  async function listen(atPort, fixedHost) {
    const server = createServer((request, response) => {
      // A client that leaves in the middle of an answer is no reason to end.
      intercept(request, response, () => dispatch(request, response, fixedHost)).catch(() => response.destroy());
    });
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      intercept(request, undefined, () => upgrade(request, socket, head, fixedHost)).catch(() => socket.destroy());
    });
    /** @type {Promise<void>} */
    const listening = new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(atPort, "127.0.0.1", resolve);
    });
    await listening;
    servers.push(server);
    return /** @type {AddressInfo} */ (server.address()).port;
  }

  /** @type {World} */
  const world = {
    configApi,
    issuer,
    requests,
    address: "",
    backends: [],
    async start() {
      world.address = `127.0.0.1:${await listen(port)}`;
      for (const host of ownPorts ? BACKEND_HOSTS : []) {
        world.backends.push({
          backend: backendName(host) ?? host,
          host,
          url: `http://127.0.0.1:${await listen(0, host)}`,
        });
      }
      return world;
    },
    async stop() {
      for (const connection of sockets.clients) connection.terminate();
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      for (const server of servers) server.closeAllConnections();
      await Promise.all(closed);
      servers.length = 0;
    },
    replace: (host, handler) => void replaced.set(host, async (...given) => handler(...given)),
    restore: () => replaced.clear(),
    clear: () => void requests.splice(0),
  };
  return world;
}
