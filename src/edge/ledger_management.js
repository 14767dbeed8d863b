// A request to the management API, with all that the ledger asks for before it answers: a check of a signature, and reads of
// KV. Each question to the ledger is one transaction; what waits is here.

/**
 * Who signed a report, as its head says.
 * @typedef {{ key: string, signature: string }} Signer
 */
/**
 * A request as `operate.js` hands it on; crates/pointsman-ledger/src/api.rs reads it.
 * @typedef {{ method: string, isAhead?: boolean, signer?: Signer }} Asked
 */
/**
 * What the ledger answers.
 * @typedef {"description" | "verify" | { reply?: Reply, read?: string, readAll?: string[], changed?: string[] }} Managed
 */
/** @typedef {{ status: number, fields: [string, string][], body: unknown }} Reply */
/** What is known of a signature. @typedef {"right" | "wrong" | "unknown"} Verdict */

/**
 * @typedef {object} Parts
 * @property {(request: object) => Managed} ask asks the ledger
 * @property {(signer: Signer, body: Uint8Array<ArrayBuffer>) => Promise<Verdict>} verify
 * @property {(name: string) => Promise<unknown>} read has the ledger take in an entry of KV
 * @property {(names: string[]) => Promise<boolean>} readAll the same of many; whether KV answered for all
 * @property {() => Promise<void>} wake lets the ledger look after itself
 */

/**
 * Answers a request. That a signature is right is never taken from the request.
 * @param {Parts} parts
 * @param {Asked} asked
 * @param {Uint8Array<ArrayBuffer>} [body] of a report that is signed, as it came
 * @returns {Promise<Managed>}
 */
export async function answerManaged({ ask, verify, read, readAll, wake }, asked, body) {
  const { signer, isAhead } = asked;
  let request = { ...asked, signature: signer && "unchecked", wasRead: false, entriesRead: "no" };
  const learn = (/** @type {object} */ more) => {
    request = { ...request, ...more };
    return ask(request);
  };
  let answer = ask(request);
  // A ledger is off until it was first looked after.
  if (typeof answer === "object" && answer.reply?.status === 503) {
    await wake();
    answer = ask(request);
  }
  if (answer === "verify" && !isAhead && signer !== undefined) {
    const bytes = body ?? new Uint8Array();
    const signature = await verify(signer, bytes);
    answer = learn(signature === "right" ? { signature, body: textOf(bytes) } : { signature });
  }
  if (typeof answer === "object" && answer.read !== undefined) {
    await read(answer.read);
    answer = learn({ wasRead: true });
  }
  if (typeof answer === "object" && answer.readAll !== undefined) {
    const isRead = await readAll(answer.readAll);
    answer = learn({ entriesRead: isRead ? "yes" : "failed" });
  }
  return answer;
}

/**
 * What is no UTF-8 is no report either.
 * @param {Uint8Array} bytes
 */
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return "";
  }
}

/**
 * How many of the texts of a report are keys.
 * @param {Managed} answer
 */
export function leakedIn(answer) {
  const feedback = typeof answer === "object" ? answer.reply?.body : undefined;
  if (!Array.isArray(feedback)) return 0;
  const keys = feedback.filter(({ label }) => label === "true_positive").map(({ token_hash: hash }) => hash);
  return new Set(keys).size;
}
