import { createServer } from "node:net";
import { Failure } from "./failure.mjs";

/** The port that the PORT variable asks for. */
export function wantedPort(env = process.env) {
  const text = env.PORT || "8787";
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new Failure(`PORT=${text} is no port number`, { code: 2 });
  return port;
}

/**
 * The port beside it.
 * @type {(port: number) => number}
 */
export const nextPort = (port) => (port === 65535 ? port - 1 : port + 1);

/**
 * Stops where something else listens there already.
 * @param {number} port
 */
export async function needFreePort(port, host = "127.0.0.1") {
  /** @type {Promise<void>} */
  const free = new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (/** @type {NodeJS.ErrnoException} */ { code }) => {
      const reason = code === "EADDRINUSE" ? "is taken" : `can't be used (${code})`;
      reject(
        new Failure(`port ${port} ${reason}`, {
          advice: [`Choose another one: PORT=${port === 65535 ? 8788 : port + 1} npm start`],
        }),
      );
    });
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
  await free;
}
