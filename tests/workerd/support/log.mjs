// What the Worker wrote: JSON lines of requests and events, and whatever else the runtime had to say.
import { setTimeout as sleep } from "node:timers/promises";
import { faultsOfLine } from "../../support/log-schema.mjs";

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

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function createLog() {
  const lines = [];
  const texts = [];
  const faults = [];
  return {
    /** JSON lines, parsed. */
    lines,
    /** Every line as it was written, for searches. */
    texts,
    /** What is wrong with lines of the gateway, by schemas/log-line.schema.json; `clear` keeps it. */
    faults,
    take(text) {
      texts.push(text);
      // Whatever else the runtime has to say stays in `texts`.
      if (!text.startsWith("{")) return;
      const line = parse(text);
      if (line !== undefined) lines.push(line);
      const found = line === undefined ? ["no JSON"] : faultsOfLine(line);
      faults.push(...found.map((fault) => `${fault}: ${text}`));
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
