// How much memory a Worker has in use, by V8's inspector.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

/**
 * Asks V8's inspector how much of the Worker's heap is in use, in bytes. What the process has of the system says little:
 * workerd takes more and more for a long time also where a Worker does nothing but answer.
 */
export async function openHeapMeter(inspectorUrl, name) {
  const inspector = new URL("/json", String(inspectorUrl).replace(/^ws/, "http"));
  const targets = await (await fetch(inspector)).json();
  const { webSocketDebuggerUrl } = targets.find(({ id }) => id.includes(name));
  const socket = new WebSocket(webSocketDebuggerUrl);
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
