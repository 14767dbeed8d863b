// Whose hosts are, in KV without a ledger: beside a customer's record stands an entry by each host that the record lists.
import { customerEntry, hostEntry, pointerTo } from "./core.js";
import { readObject } from "./json.js";
import { write } from "./store.js";

/** @import { Change, HostsMoved } from "./types.d.ts" */

/** @param {unknown} record */
const hostsOf = (record) => {
  const hosts = /** @type {{ hosts?: unknown } | undefined} */ (record)?.hosts;
  return Array.isArray(hosts) ? hosts.filter((host) => typeof host === "string") : [];
};

/**
 * The customer whom the entry of a host says, if it says any.
 * @param {KVNamespace} store
 * @param {string} host
 */
async function customerOf(store, host) {
  const pointer = readObject((await store.get(hostEntry(host), "text")) ?? "{}").value;
  return pointer?.customerId === undefined ? undefined : String(pointer.customerId);
}

/**
 * What a change does to hosts: the customer's id with those that come and those that go; undefined where it is of no customer.
 * `taken` says which of them another customer's record lists.
 * @param {KVNamespace} store
 * @param {Change} change
 * @returns {Promise<HostsMoved | undefined>}
 */
export async function hostsMoved(store, change) {
  const name = change.put ?? change.remove;
  if (!name.startsWith(customerEntry(""))) return undefined;
  const id = name.slice(customerEntry("").length);
  const next = change.put === undefined ? [] : hostsOf(change.record);
  const before = hostsOf(readObject((await store.get(name, "text")) ?? "{}").value);
  const moved = { id, come: next, go: before.filter((host) => !next.includes(host)) };
  for (const host of next) {
    const other = await customerOf(store, host);
    if (other === undefined || other === id) continue;
    const record = readObject((await store.get(customerEntry(other), "text")) ?? "{}").value;
    if (hostsOf(record).includes(host))
      return { ...moved, taken: `${host} is a host of the customer ${other}: take it away there first.` };
  }
  return moved;
}

/**
 * Has the entries of hosts follow the customer's record. One that says another customer by now stays.
 * @param {KVNamespace} store
 * @param {HostsMoved} moved
 */
export async function followHosts(store, { id, come, go }) {
  for (const host of come)
    if ((await customerOf(store, host)) !== id) await write(store, hostEntry(host), pointerTo(id));
  for (const host of go) if ((await customerOf(store, host)) === id) await store.delete(hostEntry(host));
}
