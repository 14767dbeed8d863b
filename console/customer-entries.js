// A customer as the gateway sees it: an operator's own record decides where there is one, else what the config API says.
import { faultsOfCustomer, isOfTheConfigApi, PREFIX, REFRESHED_PREFIX } from "./record/customer.js";
import { readObject } from "./record/json.js";
import { readPage } from "./store.js";

/** @import { AllowHttp, CustomerEntry, CustomerText, Reach } from "./types.d.ts" */

/**
 * An entry's text as the gateway would read it: { name, text, record?, faults }.
 * @param {string} name
 * @param {string} text
 * @param {string} id
 * @param {AllowHttp} allowHttp
 * @returns {CustomerText}
 */
function read(name, text, id, allowHttp) {
  const { value, what } = readObject(text);
  if (value === undefined) return { name, text, record: undefined, faults: [{ at: "", what }] };
  return { name, text, record: value, faults: faultsOfCustomer(value, id, allowHttp) };
}

/**
 * What counts of a customer's two entries: { id, name, text, record?, faults, ofApi, beside? }. `beside` is what the config
 * API says where that does not count. A record under the operator's name that a refresh left there, before refreshes had
 * names of their own, is the config API's as long as that has no other. Undefined where there is neither.
 * @param {string} id
 * @param {{ own: string | undefined, refreshed: string | undefined }} texts
 * @param {AllowHttp} allowHttp
 * @returns {CustomerEntry | undefined}
 */
export function counting(id, { own, refreshed }, allowHttp) {
  const operators = own === undefined ? undefined : read(PREFIX + id, own, id, allowHttp);
  const api = refreshed === undefined ? undefined : read(REFRESHED_PREFIX + id, refreshed, id, allowHttp);
  const leftOver =
    operators?.record !== undefined && operators.faults.length === 0 && isOfTheConfigApi(operators.record);
  if (operators && !leftOver) return { id, ...operators, ofApi: false, beside: api };
  const said = api ?? operators;
  return said && { id, ...said, ofApi: true };
}

/**
 * Reads a customer, under both names where the gateway does: as `counting`.
 * @param {Reach} reach
 * @param {string} id
 */
export async function readCustomer({ store, allowHttp, hasSource }, id) {
  const names = hasSource ? [PREFIX + id, REFRESHED_PREFIX + id] : [PREFIX + id];
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
  const [listed, other] = ofApi ? [REFRESHED_PREFIX, PREFIX] : [PREFIX, REFRESHED_PREFIX];
  const page = await readPage(store, { prefix: listed + begin, cursor, limit });
  const ids = page.entries.map(({ name }) => name.slice(listed.length));
  const others =
    hasSource && ids.length > 0
      ? await store.get(
          ids.map((id) => other + id),
          "text",
        )
      : new Map();
  const customers = page.entries.flatMap(({ text }, i) => {
    const beside = others.get(other + ids[i]) ?? undefined;
    return (
      counting(ids[i], ofApi ? { own: beside, refreshed: text } : { own: text, refreshed: beside }, allowHttp) ?? []
    );
  });
  return { customers, cursor: page.cursor };
}
