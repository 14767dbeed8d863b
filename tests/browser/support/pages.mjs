import { createServer } from "node:http";

/** An empty page on an origin of its own, http://127.0.0.1:<port>. */
export async function startPage() {
  const server = createServer((request, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>page</title>"),
  );
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
