// The parent's side of the origin and the load generator.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Failure } from "../../scripts/lib/failure.mjs";
import { cpuOf } from "./proc.mjs";
import { adopt, end } from "./processes.mjs";

/** @import { LoadOrder, LoadSeen } from "../types.d.ts" */

const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const CONNECTIONS = 16;

export async function startOrigin(name = "origin.mjs") {
  const child = adopt(fork(script(name), { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  const [ports] = await once(child, "message");
  return { ...ports, cpu: () => cpuOf(child.pid), tell: (message) => child.send(message), stop: () => end(child) };
}

export function startGenerator() {
  const child = adopt(fork(script("generator.mjs"), { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  return {
    /**
     * Sends a load and gives what became of it. Any answer but 200 is a failure, unless `statuses` are given.
     * @param {LoadOrder} order
     * @returns {Promise<LoadSeen>}
     */
    async run({ connections = CONNECTIONS, allowed = [200], ...order }) {
      child.send({ connections, ...order });
      const [seen] = await once(child, "message");
      if (seen.error) throw new Failure(`the load generator failed: ${seen.error}`);
      const wrong = Object.keys(seen.statuses).some((status) => !allowed.includes(Number(status)));
      if (allowed.length > 0 && (wrong || seen.failed > 0)) {
        throw new Failure(`unexpected answers: ${JSON.stringify(seen.statuses)}, ${seen.failed} lost`, {
          advice: [String(seen.odd)],
        });
      }
      return seen;
    },
    stop: () => end(child),
  };
}
