// A customer as the gateway sees it: an operator's own record decides where there is one, else what the config API says.
import { checkCustomer, customerEntry, refreshedEntry } from "./core.js";
import { readObject } from "./json.js";
import { readPage } from "./store.js";

/** @import { CustomerEntry, CustomerText, Reach } from "./types.d.ts" */

/**
 * An entry's text as the gateway would read it.
 * @type {(name: string, text: string, id: string, allowHttp: string) => CustomerText}
 */
const read = (name, text, id, allowHttp) => ({
  name,
  text,
  record: readObject(text).value,
  ...checkCustomer(text, id, allowHttp),
});

/**
 * What counts of a customer's two entries. `beside` is what the config API says where that does not count. A record under
 * the operator's name that a refresh left there, before refreshes had names of their own, is the config API's as long as that
 * has no other. Undefined where there is neither.
 * @param {string} id
 * @param {{ own?: string | undefined, refreshed?: string | undefined }} texts
 * @param {string} allowHttp
 * @returns {CustomerEntry | undefined}
 */
export function counting(id, { own, refreshed }, allowHttp) {
  const operators = own === undefined ? undefined : read(customerEntry(id), own, id, allowHttp);
  const api = refreshed === undefined ? undefined : read(refreshedEntry(id), refreshed, id, allowHttp);
  if (operators && !operators.customer?.refreshed) return { id, ...operators, ofApi: false, beside: api };
  const said = api ?? operators;
  return said && { id, ...said, ofApi: true };
}

/**
 * Reads a customer, under both names where the gateway does: as `counting`.
 * @param {Reach} reach
 * @param {string} id
 */
export async function readCustomer({ store, allowHttp, hasSource }, id) {
  const names = hasSource ? [customerEntry(id), refreshedEntry(id)] : [customerEntry(id)];
  const values = await store.get(names, "text");
  const [own, refreshed] = names.map((name) => values.get(name) ?? undefined);
  return counting(id, { own, refreshed }, allowHttp);
}

/**
 * A page of customers whose ids begin with `begin`: those of operators' entries or of the config API's, by what counts.
 * @param {Reach} reach
 * @param {{ ofApi: boolean, begin: string, cursor: string | undefined, limit: number }} order
 */
export async function readCustomers({ store, allowHttp, hasSource }, { ofApi, begin, cursor, limit }) {
  const [listed, other] = ofApi ? [refreshedEntry, customerEntry] : [customerEntry, refreshedEntry];
  const page = await readPage(store, { prefix: listed(begin), cursor, limit });
  const ids = page.entries.map(({ name }) => name.slice(listed("").length));
  const others = hasSource && ids.length > 0 ? await store.get(ids.map(other), "text") : new Map();
  const customers = page.entries.flatMap(({ text }, i) => {
    const beside = others.get(other(ids[i])) ?? undefined;
    return (
      counting(ids[i], ofApi ? { own: beside, refreshed: text } : { own: text, refreshed: beside }, allowHttp) ?? []
    );
  });
  return { customers, cursor: page.cursor };
}
