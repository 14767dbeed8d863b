// Whether what the configuration names answers: backends, issuers, the config API. A gateway answers 502 or 503 where one does
// not, and callers may not be told why; whoever starts it may.
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { keysUrl, urlOf } from "./form.mjs";

/** @import { Form } from "./form.mjs" */

const TIMEOUT = 3000;

/**
 * What does not answer, why, and what comes of that.
 * @typedef {{ what: string, where: string, why: string, effect: string }} Unreachable
 */

/** @param {Unreachable} one */
export const sentenceOf = ({ what, where, why, effect }) => `${what}, ${where}: ${why}; ${effect}`;

/** @typedef {Omit<Unreachable, "why"> & { asked: Promise<string | undefined> }} Probe */

/**
 * All that does not answer.
 * @param {Form} form with its variables filled in
 * @returns {Promise<Unreachable[]>}
 */
export async function unreachable(form) {
  const probes = [...backends(form), ...issuers(form), ...configApi(form)];
  const told = probes.map(async ({ asked, ...probe }) => ({ ...probe, why: await asked }));
  return (await Promise.all(told)).flatMap(({ why, ...probe }) => (why === undefined ? [] : [{ ...probe, why }]));
}

/**
 * @param {Form} form
 * @returns {Probe[]}
 */
const backends = ({ backends }) =>
  backends.flatMap(({ name, origins }) =>
    [...new Set(origins.flatMap(({ url }) => urlOf(url)?.origin ?? []))]
      // A host with a claim in it is another one for each caller.
      .filter((origin) => !/\{|%7b/i.test(origin))
      .map((origin) => ({
        what: `backend ${name}`,
        where: origin,
        effect: "requests to it get 502 (backend_unreachable)",
        asked: connects(origin),
      })),
  );

/**
 * @param {Form} form
 * @returns {Probe[]}
 */
const issuers = ({ issuers }) =>
  issuers.flatMap((issuer) => {
    const url = keysUrl(issuer);
    const effect = "its tokens get 503 (key_set_unavailable)";
    return url === undefined ? [] : [{ what: `issuer ${issuer.name}`, where: url.href, effect, asked: serves(url) }];
  });

/**
 * @param {Form} form
 * @returns {Probe[]}
 */
function configApi({ customers }) {
  const url = urlOf(customers?.source?.url);
  const effect = "customers that data/ does not have get 503 (customer_source_unavailable)";
  return url === undefined ? [] : [{ what: "config API", where: url.href, effect, asked: connects(url.origin) }];
}

/**
 * Why there is no connection to an origin; undefined where there is one. Nothing is sent: a request might do something there.
 * @param {string} origin
 * @returns {Promise<string | undefined>}
 */
function connects(origin) {
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  const secure = protocol === "https:";
  return new Promise((resolve) => {
    const at = { host, port: Number(port || (secure ? 443 : 80)), timeout: TIMEOUT };
    const socket = secure ? connectTls({ ...at, servername: host }) : connect(at);
    /** @param {string | undefined} why */
    const end = (why) => {
      socket.destroy();
      resolve(why);
    };
    socket.once(secure ? "secureConnect" : "connect", () => end(undefined));
    socket.once("timeout", () => end("no answer within 3 s"));
    socket.once("error", (error) => end(said(error)));
  });
}

/**
 * Why a document cannot be had.
 * @param {URL} url
 * @returns {Promise<string | undefined>}
 */
async function serves(url) {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT) });
    await response.body?.cancel();
    return response.status === 200 ? undefined : `it answers with ${response.status}`;
  } catch (error) {
    const { name, cause } = /** @type {Error & { cause?: Error }} */ (error);
    return name === "TimeoutError" ? "no answer within 3 s" : said(cause ?? /** @type {Error} */ (error));
  }
}

/** @type {Record<string, string>} */
const WORDS = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up: is this machine offline?",
  ECONNRESET: "the connection was closed",
  EHOSTUNREACH: "no way to the host",
  ENETUNREACH: "no network",
};

/** @param {Error & { code?: string, errors?: (Error & { code?: string })[] }} error */
function said(error) {
  const code = error.code ?? error.errors?.[0]?.code;
  return (code && WORDS[code]) || error.message || String(code);
}
