// Puts the demo's customers and API keys into KV, as the command line would.
import { readFileSync } from "node:fs";
import { fileCustomers } from "./config-api.mjs";
import { kvName, mint } from "./keys.mjs";

/** @import { DemoKey } from "./types.d.ts" */

/** @type {DemoKey[]} */
const keys = JSON.parse(readFileSync(new URL("../fixtures/demo/keys.json", import.meta.url), "utf8"));

/** The demo's root key, for the management API. It is as public as everything here. */
export const ROOT_KEY = mint("sk_live", "DEMOrootKeyIsPublic00000");
/** A root key for the keys of one customer alone, as examples/self-service uses it. */
export const SELF_SERVICE_KEY = mint("sk_live", "DEMOselfServiceIsPublic0");
const SCOPES = ["keys.read", "keys.write", "customers.read", "customers.write", "revocations.write", "audit.read"];

/**
 * The demo's API keys in clear.
 * @type {() => DemoKey[]}
 */
export const demoKeys = () => structuredClone(keys);

/**
 * The demo's API key of that name.
 * @param {string} name
 */
export function demoKey(name) {
  const found = keys.find((entry) => entry.name === name);
  if (!found) throw new RangeError(`no demo key ${name}`);
  return found.key;
}

/**
 * All KV entries of the demo as [name, text].
 * @type {() => [name: string, text: string][]}
 */
export const demoEntries = () => [
  ...keys.map(/** @returns {[string, string]} */ ({ key, record }) => [kvName(key), JSON.stringify(record)]),
  ...fileCustomers().map(
    /** @returns {[string, string]} */ (customer) => [`customer:${customer.customerId}`, JSON.stringify(customer)],
  ),
];

/**
 * Writes the root keys' records.
 * @param {{ put(name: string, text: string): Promise<unknown> }} namespace
 */
export async function seedRootKey(namespace) {
  const put = (/** @type {string} */ key, /** @type {object} */ record) =>
    namespace.put(kvName(key), JSON.stringify(record));
  await put(ROOT_KEY, { subject: "demo-root", root: { scopes: SCOPES } });
  const root = { scopes: ["keys.read", "keys.write"], customers: ["acme-corp"], prefixes: ["sk_live"] };
  await put(SELF_SERVICE_KEY, { subject: "demo-self-service", root });
}

/**
 * Writes them. What else stands in the namespace stays as it is.
 * @param {{ put(name: string, text: string): Promise<unknown> }} namespace
 */
export async function seed(namespace) {
  await Promise.all(demoEntries().map(([name, text]) => namespace.put(name, text)));
}
