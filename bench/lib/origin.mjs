// The origin that every call goes to, whatever its URL: answers at once, with as little CPU as Node can. A process of
// its own. The issuer's key set is at its well-known path; a path that begins with /echo gets the head of the request
// as the body of the answer.
import { createServer } from "node:net";
import { keySet } from "./callers.mjs";

/** @import { AddressInfo } from "node:net" */

const answer = (body, type) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nServer: bench\r\n\r\n${body}`,
  );

const OK = answer(JSON.stringify({ ok: true, items: [1, 2, 3], next: null }), "application/json");
const KEYS = answer(JSON.stringify(keySet), "application/json");
const END = Buffer.from("\r\n\r\n");

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on("error", () => {});
  socket.on("data", (data) => {
    let bytes = rest ? Buffer.concat([rest, data]) : data;
    rest = undefined;
    for (;;) {
      const end = bytes.indexOf(END);
      if (end < 0) break;
      socket.write(answerTo(bytes, end));
      bytes = bytes.subarray(end + END.length);
    }
    if (bytes.length > 0) rest = bytes;
  });
});

function answerTo(bytes, end) {
  const target = bytes.latin1Slice(0, 64).split(" ")[1] ?? "";
  if (target.startsWith("/.well-known/")) return KEYS;
  return target.startsWith("/echo") ? answer(bytes.latin1Slice(0, end), "text/plain") : OK;
}

server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {AddressInfo} */ (server.address());
  process.send?.({ port });
});
process.on("disconnect", () => process.exit(0));
