// Whether GitHub's secret scanning has signed a report: with the public keys that GitHub publishes.
import { getDocument } from "./glue.js";
import { logEvent } from "./log_event.js";
import { makeScannerKeys } from "./scanner_keys.js";
import { isSignedBy } from "./scanner_signature.js";

/** @import { Signer, Verdict } from "./ledger_management.js" */
/** @import { KeyList } from "./ledger_settings.js" */

/** How long a list of public keys may take, in milliseconds, and be, in bytes. */
const LIST_MS = 5000;
const LIST_BYTES = 65_536;
/** Reports that wait for the list hold their bodies, and anybody may send some: what is more is told to come again. */
const MOST_AT_ONCE = 8;

/**
 * @param {() => KeyList | undefined} keyList where the list is; undefined where that may not be called
 */
export function makeVerifier(keyList) {
  let checking = 0;
  const find = makeScannerKeys({
    fetchText: getKeyList,
    hearFailure: ({ message }) => logEvent("warn", "scanner_keys_failed", { message }),
  });

  /**
   * Whether these bytes are signed. Nothing of them is read.
   * @param {Signer} signer
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @returns {Promise<Verdict>}
   */
  return async function verify(signer, bytes) {
    const list = keyList();
    if (list === undefined || checking >= MOST_AT_ONCE) return "unknown";
    checking += 1;
    try {
      const key = await find(list, signer.key);
      if (key === null) return "unknown";
      return key !== undefined && (await isSignedBy(key, signer.signature, bytes)) ? "right" : "wrong";
    } finally {
      checking -= 1;
    }
  };
}

/**
 * GitHub answers nobody who does not say who asks.
 * @param {KeyList} list
 */
async function getKeyList({ url, userAgent }) {
  const { status, body } = await getDocument(url, undefined, undefined, undefined, LIST_MS, LIST_BYTES, userAgent);
  if (status !== 200) throw new Error(`status ${status}`);
  return new TextDecoder().decode(body);
}
