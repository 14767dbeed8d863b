// How much memory a Worker has in use, by V8's inspector.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

/**
 * Asks V8's inspector how much of the Worker's heap is in use, in bytes. What the process has of the system says little:
 * workerd takes more and more for a long time also where a Worker does nothing but answer.
 * @param {URL | string} inspectorUrl
 * @param {string} name
 */
export async function openHeapMeter(inspectorUrl, name) {
  const inspector = new URL("/json", String(inspectorUrl).replace(/^ws/, "http"));
  /** @type {{ id: string, webSocketDebuggerUrl: string }[]} */
  const targets = JSON.parse(await (await fetch(inspector)).text());
  const target = targets.find(({ id }) => id.includes(name));
  if (!target) throw new Error(`the inspector knows no Worker ${name}`);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await once(socket, "open");
  let number = 0;
  const call = (method) => {
    const id = ++number;
    socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => {
      const hear = (data) => {
        const message = JSON.parse(data);
        if (message.id !== id) return;
        socket.off("message", hear);
        resolve(message.result);
      };
      socket.on("message", hear);
    });
  };
  return {
    async read() {
      // It is never answered, but done when the isolate is next awake: under load, soon.
      socket.send(JSON.stringify({ id: ++number, method: "HeapProfiler.collectGarbage" }));
      await sleep(100);
      const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await call("Runtime.getHeapUsage");
      return usedSize + embedderHeapUsedSize + backingStorageSize;
    },
    close: () => socket.terminate(),
  };
}

/**
 * Whether it grows all the time: each quarter's least is above the one's before, and by much in the end.
 * @param {number[]} samples
 */
export function keepsGrowing(samples) {
  const quarter = Math.floor(samples.length / 4);
  if (quarter < 3) return false;
  const least = [0, 1, 2, 3].map((index) => Math.min(...samples.slice(index * quarter, (index + 1) * quarter)));
  const rises = least.every((bytes, index) => index === 0 || bytes > least[index - 1] * 1.01);
  return rises && least[3] - least[0] > 4 * 1024 * 1024;
}
