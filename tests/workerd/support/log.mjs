// What the Worker wrote: JSON lines of requests and events, and whatever else the runtime had to say.
import { setTimeout as sleep } from "node:timers/promises";

const DEADLINE = 5000;

/** Asks again until `ask` gives something that is not undefined. */
export async function until(ask, what, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const found = await ask();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await sleep(10);
  }
}

export function createLog() {
  const lines = [];
  const texts = [];
  return {
    /** JSON lines, parsed. */
    lines,
    /** Every line as it was written, for searches. */
    texts,
    take(text) {
      texts.push(text);
      if (!text.startsWith("{")) return;
      try {
        lines.push(JSON.parse(text));
      } catch {
        // No line of ours; it stays in `texts`.
      }
    },
    /** The line of a request; without an id, of any. Lines come by a pipe of their own, after the answer. */
    request: (id) =>
      until(
        () => lines.find((line) => line.event === "request" && (id === undefined || line.request_id === id)),
        `a line of request ${id}`,
      ),
    event: (name) => until(() => lines.find((line) => line.event === name), `a line of event ${name}`),
    clear() {
      lines.length = 0;
      texts.length = 0;
    },
  };
}
