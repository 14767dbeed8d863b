// One request to a gateway that was deployed, and whether it is the gateway that answers.

/** An address of a new Worker is unknown for a while. */
const PATIENCE = 60_000;
const PAUSE = 3000;
const TIMEOUT = 10_000;

/**
 * @typedef {{ text: string, isGateway: boolean, advice?: string }} Seen
 */

/**
 * What a request without a credential comes to.
 * @param {string} address
 * @param {{ patience?: number, pause?: number }} [time] in milliseconds
 * @returns {Promise<Seen>}
 */
export async function firstAnswer(address, { patience = PATIENCE, pause = PAUSE } = {}) {
  const until = Date.now() + patience;
  for (;;) {
    const seen = await answerOf(address);
    if (seen.isGateway || Date.now() + pause > until) return seen;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * @param {string} address
 * @returns {Promise<Seen>}
 */
async function answerOf(address) {
  try {
    const response = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT) });
    const body = await response.text();
    return judged(response.status, response.headers.get("content-type") ?? "", body);
  } catch (error) {
    const { cause, message } = /** @type {Error & { cause?: Error }} */ (error);
    return { text: cause?.message ?? message, isGateway: false };
  }
}

/**
 * @param {number} status
 * @param {string} type
 * @param {string} body
 * @returns {Seen}
 */
function judged(status, type, body) {
  if (!type.startsWith("application/problem+json"))
    // What a health path or a backend answers; the platform's own errors are pages, with 5xx.
    return { text: String(status), isGateway: status < 500 && !body.includes("error code: ") };
  /** @type {{ type?: string, title?: string }} */
  let problem = {};
  try {
    problem = JSON.parse(body);
  } catch {
    // Then it is not the gateway's.
  }
  const text = `${status} ${problem.title ?? ""}`.trim();
  if (status !== 500) return { text, isGateway: true };
  return {
    text,
    isGateway: false,
    advice: 'A variable or a secret is missing: npx wrangler tail shows lines "misconfigured" that name it',
  };
}
