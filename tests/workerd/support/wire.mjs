// HTTP/1.1 over a plain socket: request targets, bytes of fields and repeated fields go out exactly as given, and an
// answer comes back as it was on the wire. fetch and node:http normalise all of these.
import { connect } from "node:net";

/** No wait for the gateway is longer than this: a hang is a failure, not a stuck run. */
const DEADLINE = 20_000;

const bodiless = (method, status) => method === "HEAD" || status === 204 || status === 304 || status < 200;

/** One connection, read on demand. */
export class Wire {
  #buffer = Buffer.alloc(0);
  #chunks;

  constructor(port, { deadline = DEADLINE } = {}) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.deadline = deadline;
    // Errors are seen by whoever reads; a connection that is reset is an end like any other.
    this.socket.on("error", () => {});
    this.#chunks = this.socket[Symbol.asyncIterator]();
  }

  write(bytes) {
    return new Promise((resolve, reject) => this.socket.write(bytes, (error) => (error ? reject(error) : resolve())));
  }

  /** Bytes that arrived next, or undefined at the end. */
  async next() {
    if (this.#buffer.length > 0) {
      const chunk = this.#buffer;
      this.#buffer = Buffer.alloc(0);
      return chunk;
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        this.socket.destroy();
        reject(new Error(`nothing came within ${this.deadline} ms`));
      }, this.deadline);
    });
    try {
      const { done, value } = await Promise.race([this.#chunks.next(), late]);
      return done ? undefined : value;
    } catch (error) {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #fill(what) {
    const before = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    const chunk = await this.next();
    if (chunk === undefined)
      throw new Error(`the connection ended in ${what} after ${JSON.stringify(before.toString("latin1").slice(-200))}`);
    this.#buffer = Buffer.concat([before, chunk]);
  }

  async line(what) {
    for (;;) {
      const end = this.#buffer.indexOf("\r\n");
      if (end >= 0) {
        const text = this.#buffer.toString("latin1", 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return text;
      }
      await this.#fill(what);
    }
  }

  /** Exactly `length` bytes, in pieces as they come. */
  async *bytes(length, what) {
    for (let left = length; left > 0; ) {
      if (this.#buffer.length === 0) await this.#fill(what);
      const piece = this.#buffer.subarray(0, left);
      this.#buffer = this.#buffer.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** The next head: { status, fields: [[name, value]], get, all }. */
  async head() {
    const statusLine = await this.line("the status line");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
    if (!status) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    const fields = [];
    for (let line = await this.line("the head"); line !== ""; line = await this.line("the head")) {
      const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`no field: ${JSON.stringify(line)}`);
      fields.push([name, value]);
    }
    const all = (name) => fields.filter(([own]) => own.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
    const get = (name) => (all(name).length === 0 ? undefined : all(name).join(", "));
    return { status, fields, all, get };
  }

  /** The body that belongs to a head, in pieces as they come. Throws where it ends before it should. */
  async *body(method, head) {
    if (bodiless(method, head.status)) return;
    if (/\bchunked\b/i.test(head.get("transfer-encoding") ?? "")) {
      for (;;) {
        const size = Number.parseInt(await this.line("a chunk's size"), 16);
        yield* this.bytes(size, "a chunk");
        await this.line("a chunk's end");
        if (size === 0) return;
      }
    }
    const length = head.get("content-length");
    if (length !== undefined) return yield* this.bytes(Number(length), "the body");
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
  }

  /** Leaves without a word. The runtime takes an orderly end for a client that still listens. */
  reset() {
    this.socket.resetAndDestroy();
  }

  close() {
    this.socket.destroy();
  }
}

const HOST = "gateway.example.com";

/** A request's head as bytes. A value may be a Buffer, for bytes that are no text. */
export function requestHead({ method = "GET", target = "/", headers = [], host = HOST }) {
  const lines = [Buffer.from(`${method} ${target} HTTP/1.1\r\n`, "latin1")];
  if (host !== null) lines.push(Buffer.from(`Host: ${host}\r\n`));
  for (const [name, value] of headers) {
    lines.push(
      Buffer.from(`${name}: `, "latin1"),
      Buffer.isBuffer(value) ? value : Buffer.from(value, "latin1"),
      Buffer.from("\r\n"),
    );
  }
  lines.push(Buffer.from("\r\n"));
  return Buffer.concat(lines);
}

/** The fields that frame a body of this length. */
const framing = (body) => (body === undefined ? [] : [["Content-Length", String(body.length)]]);

/** Sends one request on a connection of its own and reads the answer to its end. */
export async function send(port, { body, headers = [], deadline, ...request }) {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const wire = new Wire(port, { deadline });
  try {
    await wire.write(requestHead({ ...request, headers: [...headers, ...framing(bytes)] }));
    if (bytes?.length > 0) await wire.write(bytes);
    return await answerTo(wire, request.method ?? "GET");
  } finally {
    wire.close();
  }
}

/** The next final answer on a connection, with its whole body. */
export async function answerTo(wire, method) {
  let head = await wire.head();
  while (head.status < 200 && head.status !== 101) head = await wire.head();
  const chunks = [];
  for await (const chunk of wire.body(method, head)) chunks.push(chunk);
  const whole = Buffer.concat(chunks);
  return { ...head, body: whole, text: () => whole.toString(), json: () => JSON.parse(whole.toString()) };
}

/** Writes bytes, says that no more will come, and gives all that came back until the connection ended. */
export async function sendBytes(port, bytes, { deadline } = {}) {
  const wire = new Wire(port, { deadline });
  try {
    // A server may well close before it has read everything.
    await wire.write(bytes).catch(() => {});
    wire.socket.end();
    const chunks = [];
    for (let chunk = await wire.next(); chunk !== undefined; chunk = await wire.next()) chunks.push(chunk);
    return Buffer.concat(chunks).toString("latin1");
  } finally {
    wire.close();
  }
}
