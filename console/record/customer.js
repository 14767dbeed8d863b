// Customer records, as src/customer.rs reads them (docs/kv-schema.md).
import { checker } from "./checks.js";
import { instantOf } from "./instant.js";
import { isObject, pointerPart } from "./json.js";
import { faultOfUrl, plainUrl } from "./url.js";

/** What operators write, and what the gateway writes of what the config API says. Nobody writes the other's. */
export const PREFIX = "customer:";
export const REFRESHED_PREFIX = "source:customer:";
export const MOST_BACKENDS = 8;
const LONGEST_ID = 256;
const U32 = 2 ** 32 - 1;

/** What the gateway's refreshes write beside what the config API says. */
export const OF_THE_CONFIG_API = ["fetchedAt", "generation", "etag", "gone", "scheduled"];
const MEMBERS = [
  "customerId",
  "backendUrl",
  "backends",
  "environmentName",
  "disabled",
  "allowedIps",
  ...OF_THE_CONFIG_API,
];

/** What is wrong with a customer's id; undefined where nothing is. */
export function faultOfId(id) {
  const bytes = new TextEncoder().encode(id).length;
  return bytes >= 1 && bytes <= LONGEST_ID && !/\p{Cc}/u.test(id) && id.isWellFormed()
    ? undefined
    : `must be 1 to ${LONGEST_ID} bytes without control characters`;
}

function checkBackends(record, { fault, there }, allowHttp) {
  const urls = [];
  // Empty text says as little as null.
  const isSaid = there("backendUrl") && record.backendUrl !== "";
  if (isSaid) {
    if (typeof record.backendUrl !== "string") fault("/backendUrl", "must be a text");
    else {
      const what = faultOfUrl(record.backendUrl, allowHttp);
      if (what) fault("/backendUrl", what);
      urls.push(plainUrl(record.backendUrl));
    }
  }
  const backends = record.backends ?? [];
  if (!Array.isArray(backends)) return fault("/backends", "must be a list");
  for (const [index, origin] of backends.entries()) {
    const at = `/backends/${index}`;
    if (!isObject(origin)) {
      fault(at, "must be an object with a url");
      continue;
    }
    for (const name of Object.keys(origin)) {
      if (origin[name] !== null && !["url", "region", "weight"].includes(name))
        fault(`${at}/${pointerPart(name)}`, "is no member that the gateway knows");
    }
    const { url, region = null, weight = null } = origin;
    const what = typeof url === "string" ? faultOfUrl(url, allowHttp) : "must be a URL";
    if (what) fault(`${at}/url`, what);
    else urls.push(plainUrl(url));
    if (region !== null && typeof region !== "string") fault(`${at}/region`, "must be a text");
    if (weight !== null && !(Number.isInteger(weight) && weight >= 0 && weight <= U32))
      fault(`${at}/weight`, "must be a whole number from 0");
  }
  if (!isSaid && backends.length === 0) fault("/backendUrl", "must be given, or backends");
  // What stands in both is one place.
  if (new Set(urls).size > MOST_BACKENDS) fault("/backends", `must be at most ${MOST_BACKENDS}`);
  return undefined;
}

/** All that is wrong with the record of this customer: [{ at, what }]. */
export function faultsOfCustomer(record, id, allowHttp) {
  const check = checker(record, MEMBERS);
  const { fault, faults } = check;
  if (typeof record.customerId !== "string") fault("/customerId", "must be a text");
  else if (faultOfId(record.customerId)) fault("/customerId", faultOfId(record.customerId));
  else if (record.customerId !== id) fault("/customerId", `must be ${JSON.stringify(id)}, the id it is stored under`);
  checkBackends(record, check, allowHttp);
  check.text("environmentName");
  for (const name of ["disabled", "gone", "scheduled"]) check.flag(name);
  check.ranges();
  const isInstant = (text) => typeof text === "string" && instantOf(text) !== undefined;
  check.optional("fetchedAt", isInstant, "must be an instant in RFC 3339; leave it out for a record of your own");
  check.optional("generation", (value) => Number.isSafeInteger(value) && value >= 0, "must be a whole number from 0");
  check.text("etag");
  return faults;
}

/** Whether a refresh from the config API wrote this record, whatever name it stands under. */
export const isOfTheConfigApi = (record) => record.fetchedAt !== undefined && record.fetchedAt !== null;

/** The record as an operator's own. */
export const takenOver = (record) =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !OF_THE_CONFIG_API.includes(name)));
