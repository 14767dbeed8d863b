// Keys and customers in KV.
import { customerEntry, entryOfDigest } from "./core.js";
import { readCustomer, readCustomers } from "./customer-entries.js";
import { digestOf } from "./encoding.js";
import { followHosts, hostsMoved } from "./hosts-in-kv.js";
import { readKey } from "./key-entries.js";
import { readPage, search, write } from "./store.js";

/** @import { Change, KeyEntry, Outcome, Records, Settings, StoredText } from "./types.d.ts" */

/** Of keys that are looked through for a customer's: 100 at a time, so many times. */
const MOST_PAGES = 20;

/**
 * @param {Settings} settings
 * @param {{ refuses?: string, isSwitchedOff?: boolean }} [ledger] how the ledger is, where there is one
 * @returns {Records}
 */
export function recordsInKv({ store, allowHttp, configuration }, { refuses, isSwitchedOff = false } = {}) {
  const reach = { store, allowHttp, hasSource: Boolean(configuration.customers?.source) };
  /** @param {string} name */
  const textOf = async (name) => (await store.get(name, "text")) ?? undefined;

  /** Whether an entry is as the form was shown. A removal takes what it finds. @param {Change} change */
  async function isUnchanged(change) {
    if (change.put === undefined || change.was === "") return true;
    const id = change.put.startsWith(customerEntry("")) ? change.put.slice(customerEntry("").length) : undefined;
    const text = id === undefined ? await textOf(change.put) : (await readCustomer(reach, id))?.text;
    return text !== undefined && change.was === (await digestOf(text));
  }

  return {
    kind: "kv",
    refuses,
    isSwitchedOff,
    isTakingIn: false,
    async key(digest) {
      const name = entryOfDigest(digest);
      const text = await textOf(name);
      return text === undefined ? undefined : { ...readKey({ name, text }, configuration), was: await digestOf(text) };
    },
    async customer(id) {
      const entry = await readCustomer(reach, id);
      return entry && { ...entry, was: await digestOf(entry.text) };
    },
    keyPage: ({ begin, cursor, limit }) => readPage(store, { prefix: entryOfDigest(begin), cursor, limit }),
    async keysOf(id) {
      /** @type {(entry: StoredText) => KeyEntry | undefined} */
      const matches = (entry) => {
        const key = readKey(entry, configuration);
        return key.customer === id ? key : undefined;
      };
      const page = (/** @type {string | undefined} */ cursor) => readPage(store, { prefix: entryOfDigest(""), cursor });
      const { found, cursor } = await search(page, { matches, enough: Infinity, most: MOST_PAGES });
      return { found, more: Boolean(cursor) };
    },
    customerPage: (order) => readCustomers(reach, order),
    /** One after the other: whatever fails between, those before it are made. @returns {Promise<Outcome>} */
    async change({ changes }) {
      if (refuses !== undefined) return { done: false, why: "refused", what: refuses };
      for (const change of changes) if (!(await isUnchanged(change))) return { done: false, why: "changed" };
      const moves = await Promise.all(changes.map((change) => hostsMoved(store, change)));
      const taken = moves.find((moved) => moved?.taken)?.taken;
      if (taken !== undefined) return { done: false, why: "refused", what: taken };
      for (const [i, change] of changes.entries()) {
        if (change.put === undefined) await store.delete(change.remove);
        else await write(store, change.put, change.record, { endOf: change.keeps?.name ?? change.put });
        const moved = moves[i];
        if (moved) await followHosts(store, moved);
      }
      return { done: true };
    },
  };
}
