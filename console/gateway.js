// Asks the gateway by the service binding, which passes no network and no cache.
import { callOut } from "../src/edge/outbound.js";
import { keyField, tokenField } from "./configuration.js";
import { base64urlJson } from "./encoding.js";
import { parseToShow } from "./json.js";

/** @import { RequestToExplain, Said, Settings } from "./types.d.ts" */

// More would be no explanation but a fault.
const MOST_BYTES = 256 * 1024;
// A page of records is longer: the ledger ends one at four million bytes.
const MOST_LEDGER_BYTES = 16 * 1024 * 1024;
/** How long the ledger may take to answer, in milliseconds. */
const LEDGER_TIMEOUT = 8000;

/**
 * Reads an answer: { status, json } or { status, text }.
 * @param {Response} answer
 * @param {number} most
 * @returns {Promise<Said>}
 */
async function read(answer, most) {
  const text = (await answer.text()).slice(0, most);
  try {
    return { status: answer.status, json: parseToShow(text) };
  } catch {
    return { status: answer.status, text };
  }
}

/**
 * @param {Settings} settings
 * @param {URL} url
 * @param {RequestInit} init
 * @param {number} [most] bytes of the answer
 * @returns {Promise<Said>}
 */
async function ask(settings, url, init, most = MOST_BYTES) {
  try {
    return await read(await callOut(settings.gateway, url, init), most);
  } catch (error) {
    return { failed: /** @type {Error} */ (error).message };
  }
}

/**
 * What becomes of a request: nothing is forwarded.
 * @param {Settings} settings
 * @param {RequestToExplain} request
 */
export function explain(settings, { method, url, fields, credential, cf }) {
  const headers = new Headers(fields);
  if (credential.kind === "key") {
    const { field, value } = keyField(settings.configuration);
    headers.set(field, value(credential.text));
  }
  if (credential.kind === "token") {
    const { field, value } = tokenField(settings.configuration, credential.text);
    headers.set(field, value);
  }
  if (credential.kind === "claims") headers.set("x-pointsman-claims", base64urlJson(credential.claims));
  if (Object.keys(cf).length > 0) headers.set("x-pointsman-cf", base64urlJson(cf));
  headers.set("x-pointsman-explain", settings.operatorSecret ?? "");
  return ask(settings, url, { method, headers });
}

/**
 * The gateway's status document.
 * @type {(settings: Settings) => Promise<Said>}
 */
export const status = (settings) =>
  ask(settings, new URL(settings.configuration.operator?.status ?? "", settings.gatewayUrl), {
    headers: { authorization: `Bearer ${settings.operatorSecret}` },
  });

/**
 * Asks the operator's endpoint of the ledger: a GET with this query, or a POST of this text.
 * @param {Settings} settings
 * @param {string} query
 * @param {string} [body]
 */
export function askLedger(settings, query, body) {
  const url = new URL(settings.configuration.operator?.ledger ?? "", settings.gatewayUrl);
  url.search = query;
  const headers = { authorization: `Bearer ${settings.operatorSecret}`, "content-type": "application/json" };
  const signal = AbortSignal.timeout(LEDGER_TIMEOUT);
  const init = body === undefined ? { headers, signal } : { method: "POST", headers, body, signal };
  return ask(settings, url, init, MOST_LEDGER_BYTES);
}
