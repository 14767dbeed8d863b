// The world outside the gateway, on loopback: one server that gets every outbound call of the Worker (https too) and
// lets the host decide who answers. Miniflare sends them here with
//   outboundService: { external: { address: world.address, http: {} } }
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { createConfigApi } from "./config-api.mjs";
import { echo, headerPairs } from "./echo.mjs";
import { BACKEND_HOSTS, backendName, CONFIG_API_HOST, ISSUER_HOST, withoutPort } from "./hosts.mjs";
import { createIssuer } from "./issuer.mjs";

// Enough for any test, and a demo that runs for days does not grow.
const RECORDS_KEPT = 5000;

/**
 * `ownPorts`: every demo backend also listens on a port of its own, so that it can be called without the gateway.
 * `intercept(request, response, next)` gets each request first, without a response where it asks for another protocol; it
 * answers by itself, or calls `next`.
 * `world.requests` notes what arrived: { host, backend, method, url, headers, bodyBytes, bodySha256 }.
 * `world.replace(host, handler)` puts a handler (request, response, record) in a host's place until `restore()`.
 */
export function createWorld({
  port = 0,
  ownPorts = false,
  intercept = async (_request, _response, next) => next(),
} = {}) {
  const configApi = createConfigApi();
  const issuer = createIssuer();
  const replaced = new Map();
  const requests = [];
  const servers = [];
  const sockets = new WebSocketServer({ noServer: true });

  function note(request, fixedHost) {
    const host = withoutPort(fixedHost ?? request.headers.host);
    const record = {
      host,
      backend: backendName(host),
      method: request.method,
      url: request.url,
      headers: headerPairs(request.rawHeaders),
      bodyBytes: 0,
      bodySha256: undefined,
    };
    requests.push(record);
    if (requests.length > RECORDS_KEPT) requests.shift();
    return record;
  }

  async function dispatch(request, response, fixedHost) {
    const record = note(request, fixedHost);
    const { host, backend } = record;
    if (replaced.has(host)) return replaced.get(host)(request, response, record);
    if (host === CONFIG_API_HOST) return configApi.handle(request, response);
    if (host === ISSUER_HOST) return issuer.handle(request, response);
    if (backend) return echo(backend, request, response, record);
    // As a host that is not there: no answer at all.
    return request.socket.destroy();
  }

  function upgrade(request, socket, head, fixedHost) {
    const record = note(request, fixedHost);
    if (!record.backend) return socket.destroy();
    return sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("message", (data, isBinary) => connection.send(data, { binary: isBinary }));
      // Frames that are none end the connection, not the world.
      connection.on("error", () => connection.terminate());
    });
  }

  async function listen(atPort, fixedHost) {
    const server = createServer((request, response) => {
      // A client that leaves in the middle of an answer is no reason to end.
      intercept(request, response, () => dispatch(request, response, fixedHost)).catch(() => response.destroy());
    });
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      intercept(request, undefined, () => upgrade(request, socket, head, fixedHost)).catch(() => socket.destroy());
    });
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(atPort, "127.0.0.1", resolve);
    });
    servers.push(server);
    return server.address().port;
  }

  const world = {
    configApi,
    issuer,
    requests,
    address: undefined,
    /** Where each backend can be called directly: [{ backend, host, url }]. */
    backends: [],
    async start() {
      world.address = `127.0.0.1:${await listen(port)}`;
      for (const host of ownPorts ? BACKEND_HOSTS : []) {
        world.backends.push({ backend: backendName(host), host, url: `http://127.0.0.1:${await listen(0, host)}` });
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
    replace: (host, handler) => replaced.set(host, async (...given) => handler(...given)),
    restore: () => replaced.clear(),
    clear: () => requests.splice(0),
  };
  return world;
}
