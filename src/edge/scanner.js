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

/**
 * @param {() => KeyList | undefined} keyList where the list is; undefined where that may not be called
 */
export function makeVerifier(keyList) {
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
    const key = list === undefined ? null : await find(list, signer.key);
    if (key === null) return "unknown";
    return key !== undefined && (await isSignedBy(key, signer.signature, bytes)) ? "right" : "wrong";
  };
}

/**
 * GitHub answers nobody who does not say who asks.
 * @param {KeyList} list
 */
async function getKeyList({ url, userAgent }) {
  const { status, body } = await getDocument(url, undefined, undefined, LIST_MS, LIST_BYTES, userAgent);
  if (status !== 200) throw new Error(`status ${status}`);
  return new TextDecoder().decode(body);
}
