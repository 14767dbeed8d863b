// The world of the part `load`: origins, an issuer and a KV that fall ill when their parent says so. A process of its own
// with two ports: one for every call of fetch, told apart by host, and one for KV.
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { apiKey, keySet } from "./callers.mjs";

/** @import { AddressInfo } from "node:net" */

/** How many callers KV has. */
const KNOWN = 200;
const END = "\r\n\r\n";

const records = new Map();
for (let number = 0; number < KNOWN; number++) {
  const digest = createHash("sha256").update(apiKey(number)).digest("hex");
  const claims = { customerId: `customer-${String(number).padStart(12, "0")}`, environment: "production" };
  records.set(`key:${digest}`, JSON.stringify({ subject: `user-${number}`, claims }));
}

/** Who is ill, and how: "hang", "reset" or "fail". */
const ills = new Map();
process.on("message", ({ who, ill }) => (ill ? ills.set(who, ill) : ills.delete(who)));
process.on("disconnect", () => process.exit(0));

const message = (status, body, type = "application/json") =>
  `HTTP/1.1 ${status} Said\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function answerFetch(head) {
  const host = /\r\nhost: ([^\r]*)/i.exec(head)?.[1] ?? "";
  const [who] = host.split(".");
  if (who === "id") return answerAs("issuer", () => message(200, JSON.stringify(keySet)));
  return answerAs(who, () => message(200, '{"ok":true}'));
}

function answerKv(head) {
  const [method, target] = head.split(" ", 2);
  return answerAs("kv", () => {
    if (method !== "GET") return message(200, "");
    const name = decodeURIComponent(target.slice(1).split("?", 1)[0]);
    const customer = /^customer:(customer-\d{12})$/.exec(name)?.[1];
    const record = customer
      ? JSON.stringify({ customerId: customer, backendUrl: "https://steady.backends.example.com" })
      : records.get(name);
    return record === undefined ? message(404, "") : message(200, record);
  });
}

/** The answer, or "hang" or "reset". */
function answerAs(who, well) {
  const ill = ills.get(who);
  if (ill === undefined) return well();
  return ill === "fail" ? message(503, "ill", "text/plain") : ill;
}

const serve = (answer) =>
  createServer({ noDelay: true }, (socket) => {
    let rest = "";
    socket.on("error", () => {});
    socket.setEncoding("latin1").on("data", (text) => {
      rest += text;
      for (let end = rest.indexOf(END); end >= 0; end = rest.indexOf(END)) {
        const head = rest.slice(0, end);
        const whole = end + END.length + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (rest.length < whole) break;
        rest = rest.slice(whole);
        const said = answer(head);
        if (said === "reset") return socket.resetAndDestroy();
        if (said !== "hang") socket.write(said);
      }
      return undefined;
    });
  });

const listen = (server) =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(/** @type {AddressInfo} */ (server.address()).port)),
  );
const [port, kvPort] = await Promise.all([listen(serve(answerFetch)), listen(serve(answerKv))]);
process.send?.({ port, kvPort });
