// Origins that are real: each a server on a port of its own, which can die and come back, hang, or answer badly; and a
// gateway in front of them that calls the network, so that a port where nobody listens refuses.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { openGateway } from "./gateway.mjs";

/** What an origin can do with a request. */
export const BEHAVIOURS = {
  ok: (request, response, { name }) => response.writeHead(200, { "x-origin": name }).end(name),
  /** Answers when it has read the whole body. */
  read: (request, response, origin) => request.on("end", () => BEHAVIOURS.ok(request, response, origin)),
  hang: () => {},
  reset: (request) => request.socket.resetAndDestroy(),
  status:
    (code) =>
    (request, response, { name }) =>
      response.writeHead(code, { "x-origin": name }).end(name),
  slow: (milliseconds) => (request, response, origin) =>
    setTimeout(() => BEHAVIOURS.ok(request, response, origin), milliseconds),
};

/** An origin that listens. `seen` notes what arrived as its head arrives: { at, method, url, headers, body, whole }. */
export async function openOrigin(name) {
  const seen = [];
  const sockets = new Set();
  const webSockets = new WebSocketServer({ noServer: true });
  let behaviour = BEHAVIOURS.ok;
  const note = (request) => {
    const record = {
      at: Date.now(),
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: "",
      whole: false,
    };
    seen.push(record);
    origin.onArrival(record);
    return record;
  };
  const server = createServer((request, response) => {
    const record = note(request);
    request.on("data", (bytes) => (record.body += bytes));
    request.on("end", () => (record.whole = true));
    request.on("error", () => {});
    response.on("error", () => {});
    behaviour(request, response, origin);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket, head) => {
    note(request);
    if (behaviour !== BEHAVIOURS.ok) return behaviour(request, undefined, origin);
    webSockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("message", (data, isBinary) => connection.send(data, { binary: isBinary }));
      connection.on("error", () => connection.terminate());
    });
  });
  const listen = (port) =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  await listen(0);
  const { port } = server.address();
  const origin = {
    name,
    url: `http://127.0.0.1:${port}`,
    seen,
    onArrival: () => {},
    /** The connections that are open. */
    connections: () => sockets.size,
    /** The answers from here on: one of BEHAVIOURS, or (request, response, origin). */
    be: (next) => (behaviour = next),
    /** Ends all connections and listens no longer: whoever calls is refused. */
    async die() {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async live() {
      if (!server.listening) await listen(port);
    },
  };
  return origin;
}

/**
 * A gateway whose backends are made of such origins. `backends` is { name: { origins: [{ origin: "a", … }], … } }: the
 * settings of `[backends.<name>]`, with names of origins in place of URLs. Each has a route /<name>/…, which `routes`
 * can say more of, by that name. `options` are openGateway's.
 */
export async function openOriginsGateway({ backends, routes = {}, ...sections }, options) {
  const origins = {};
  const named = async (name) => (origins[name] ??= await openOrigin(name));
  const placed = {};
  for (const [name, backend] of Object.entries(backends)) {
    const places = [];
    for (const { origin, ...place } of backend.origins)
      places.push({ url: `${(await named(origin)).url}/${name}`, ...place });
    placed[name] = { ...backend, origins: places };
  }
  const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
  const route = (name) => ({
    path: `/${name}/{+path}`,
    methods: METHODS,
    auth: [],
    rewrite: "/{+path}",
    rules: [{ name: "all", to: name }],
    ...routes[name],
  });
  const further = Object.keys(routes).filter((name) => !(name in backends));
  const configuration = {
    allow_http: "loopback",
    ...sections,
    backends: placed,
    routes: [...Object.keys(placed), ...further].map(route),
  };
  const gateway = await openGateway({ gateway: JSON.stringify(configuration), network: true, ...options });
  const stopGateway = gateway.stop;
  return Object.assign(gateway, {
    origins,
    /** All origins are well, and nothing was noted yet. */
    async tidy() {
      for (const origin of Object.values(origins)) {
        await origin.live();
        origin.be(BEHAVIOURS.ok);
        origin.seen.length = 0;
      }
      gateway.log.clear();
    },
    /** The same in a fresh isolate, which knows of no failure and has its whole budget of retries. */
    async begin() {
      await gateway.restart({ keepStore: true });
      await gateway.tidy();
    },
    async stop() {
      await stopGateway();
      for (const origin of Object.values(origins)) await origin.die();
    },
  });
}
