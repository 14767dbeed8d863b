// Where keys and customers are read and changed: the gateway's ledger where gateway.toml says where that is asked, else KV.
import { ledgerState } from "./ledger.js";
import { recordsInKv } from "./records-in-kv.js";
import { recordsInLedger } from "./records-in-ledger.js";

/** @import { Records, Settings } from "./types.d.ts" */

const NO_SECRET =
  "gateway.toml has [operator] ledger, and the console lacks the operator secret (OPERATOR_SECRET), with which it would ask the ledger.";

/**
 * What an operator's page works with. Where the ledger should be there and cannot be used, KV is read and nothing is written:
 * isolates follow the ledger, which may hear of KV much later, or never. A ledger that an operator switched off has handed
 * everything to KV, and isolates ask KV.
 * @param {Settings} settings
 * @returns {Promise<Records>}
 */
export async function openRecords(settings) {
  if (!hasLedger(settings)) return recordsInKv(settings);
  if (!settings.operatorSecret) return recordsInKv(settings, { refuses: NO_SECRET });
  const state = await ledgerState(settings);
  if (state.is === "on") return recordsInLedger(settings, state.isTakingIn);
  return recordsInKv(settings, state.is === "switchedOff" ? { isSwitchedOff: true } : { refuses: state.why });
}

/**
 * Whether gateway.toml says where the ledger is asked.
 * @type {(settings: Settings) => boolean}
 */
export const hasLedger = ({ configuration }) => Boolean(configuration.operator?.ledger);
