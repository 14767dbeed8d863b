// Keys and customers in the gateway's ledger.
import { customerEntry, digestIn, entryOfDigest, refreshedEntry } from "./core.js";
import { counting } from "./customer-entries.js";
import { readKey } from "./key-entries.js";
import { commitOf, lookAtPage, lookAtRecord, searchLedger, sendCommit, wasOf } from "./ledger.js";
import { recordsInKv } from "./records-in-kv.js";

/** @import { LookedAt, Records, Settings, StoredCustomer } from "./types.d.ts" */

/** A page's cursor is the beginning of a digest, of so many digits. */
const CURSOR_DIGITS = 32;
/** Keys of a customer that are listed at most. */
const MOST_OF_CUSTOMER = 1000;

/**
 * @param {Settings} settings
 * @param {boolean} isTakingIn whether it has yet to take in what KV has
 * @returns {Records}
 */
export function recordsInLedger(settings, isTakingIn) {
  const { store, allowHttp, configuration } = settings;

  /** @param {LookedAt} looked @param {string} [inKv] what the config API says by KV @returns {StoredCustomer | undefined} */
  function customerOf({ name, operator, provider }, inKv) {
    // What cannot be used is refused, whatever the record before it said.
    const said = provider ? (provider.malformed || provider.unsure ? "" : provider.text) : inKv;
    const id = name.slice(customerEntry("").length);
    const entry = counting(id, { own: operator?.text, refreshed: said }, allowHttp);
    return entry && { ...entry, was: wasOf(operator?.version ?? 0), expires: operator?.expires };
  }

  return {
    kind: "ledger",
    refuses: undefined,
    isSwitchedOff: false,
    isTakingIn,
    async key(digest) {
      const { name, operator, leaked } = await lookAtRecord(settings, entryOfDigest(digest));
      if (operator === undefined) return undefined;
      const { text, version, expires } = operator;
      return { ...readKey({ name, text }, configuration), was: wasOf(version), expires, leaked };
    },
    async customer(id) {
      const looked = await lookAtRecord(settings, customerEntry(id));
      if (looked.provider !== undefined || !configuration.customers?.source) return customerOf(looked);
      // What no run has handed over to the ledger stands in KV.
      return customerOf(looked, (await store.get(refreshedEntry(id), "text")) ?? undefined);
    },
    async keyPage({ begin, cursor, limit }) {
      // Keys come in the order of their digests, so those that begin so stand together.
      const first = begin === "" ? undefined : begin.slice(0, CURSOR_DIGITS - 1).padEnd(CURSOR_DIGITS, "0");
      const { records, next } = await lookAtPage(settings, { of: "keys", behind: cursor ?? first, limit });
      const entries = records.flatMap(({ name, operator }) => (operator ? { name, text: operator.text } : []));
      const own = entries.filter(({ name }) => name.startsWith(entryOfDigest(begin)));
      const last = entries.at(-1);
      const isOver = last !== undefined && digestIn(last.name).slice(0, begin.length) > begin;
      return { entries: own, cursor: isOver ? undefined : next };
    },
    async keysOf(id) {
      const page = await lookAtPage(settings, { of: "keys", customer: id, behind: undefined, limit: MOST_OF_CUSTOMER });
      const found = page.records.flatMap(({ name, operator }) =>
        operator ? readKey({ name, text: operator.text }, configuration) : [],
      );
      return { found, more: page.next !== undefined };
    },
    async customerPage({ ofApi, begin, cursor, limit }) {
      if (ofApi) return recordsInKv(settings).customerPage({ ofApi, begin, cursor, limit });
      const page = await lookAtPage(settings, { of: "customers", prefix: begin, behind: cursor, limit });
      return { customers: page.records.flatMap((looked) => customerOf(looked) ?? []), cursor: page.next };
    },
    async findCustomers(order) {
      const found = await searchLedger(settings, "id", order);
      return found && { ...found, entries: found.records.flatMap((looked) => customerOf(looked) ?? []) };
    },
    async findKeys(by, order) {
      const found = await searchLedger(settings, by, order);
      const entries = found?.records.flatMap(({ name, operator }) =>
        operator ? readKey({ name, text: operator.text }, configuration) : [],
      );
      return found && { ...found, entries: entries ?? [] };
    },
    async change(order) {
      const commit = commitOf(order, { key: entryOfDigest(""), customer: customerEntry("") });
      return commit === undefined ? { done: false, why: "changed" } : sendCommit(settings, commit);
    },
  };
}
