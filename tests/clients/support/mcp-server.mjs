// A small MCP server on loopback, behind the gateway: one tool, answers as JSON, no sessions.
import { createServer } from "node:http";

const TOOL = {
  name: "whoami",
  description: "Says who the gateway says is calling.",
  inputSchema: { type: "object", properties: {} },
};

/** A started server; `calls` are the JSON-RPC methods that came, `heads` the fields of each request. */
export async function startMcpServer() {
  const calls = [];
  const heads = [];
  const results = {
    initialize: ({ protocolVersion }) => ({
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "tools", version: "1" },
    }),
    "tools/list": () => ({ tools: [TOOL] }),
    "tools/call": (_params, request) => ({
      content: [{ type: "text", text: request.headers["x-subject"] ?? "nobody" }],
    }),
    ping: () => ({}),
  };
  const server = createServer(async (request, response) => {
    heads.push(request.headers);
    if (request.method !== "POST") return response.writeHead(405, { allow: "POST" }).end();
    const parts = [];
    for await (const part of request) parts.push(part);
    const { id, method, params } = JSON.parse(Buffer.concat(parts).toString());
    calls.push(method);
    if (id === undefined) return response.writeHead(202).end();
    response.writeHead(200, { "content-type": "application/json" });
    const result = results[method]?.(params, request);
    const error = { code: -32601, message: "Method not found" };
    response.end(JSON.stringify({ jsonrpc: "2.0", id, ...(result ? { result } : { error }) }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, calls, heads, stop: () => server.close() };
}
