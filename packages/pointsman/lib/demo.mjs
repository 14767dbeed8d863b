// The world around a gateway, in this process: whatever gateway.toml names as a backend, an issuer or a config API is answered here.
// So a gateway can be tried before any of them exists. The issuer's keys are made anew for each run.
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { discoveryUrl, keysUrl, urlOf } from "./form.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { Form, Issuer } from "./form.mjs" */

/** How tokens are signed, by the name of the algorithm. */
const ALGORITHMS = {
  ES256: { hash: "sha256", pair: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) },
  ES384: { hash: "sha384", pair: () => generateKeyPairSync("ec", { namedCurve: "P-384" }) },
  RS256: { hash: "sha256", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
  RS384: { hash: "sha384", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
  RS512: { hash: "sha512", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
  EdDSA: { hash: null, pair: () => generateKeyPairSync("ed25519") },
  Ed25519: { hash: null, pair: () => generateKeyPairSync("ed25519") },
};
const HMAC = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };
const TOKEN_SECONDS = 24 * 3600;

/** @typedef {{ alg: string, kid: string, hash: string | null, privateKey: import("node:crypto").KeyObject, jwk: object }} SigningKey */

/** @type {Map<string, SigningKey>} */
const keys = new Map();

/**
 * @param {string} alg
 * @returns {SigningKey | undefined}
 */
function signingKey(alg) {
  const known = ALGORITHMS[/** @type {keyof typeof ALGORITHMS} */ (alg)];
  if (known === undefined) return undefined;
  let key = keys.get(alg);
  if (key === undefined) {
    const { privateKey, publicKey } = known.pair();
    const kid = `demo-${alg}`;
    key = {
      alg,
      kid,
      hash: known.hash,
      privateKey,
      jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" },
    };
    keys.set(alg, key);
  }
  return key;
}

/**
 * A claim by its name or JSON Pointer, as the object that holds it.
 * @param {string} path
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function claimAt(path, value) {
  if (!path.startsWith("/")) return { [path]: value };
  const steps = path
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return /** @type {Record<string, unknown>} */ (steps.reduceRight((inner, step) => ({ [step]: inner }), value));
}

/**
 * A secret as `secret_format` says.
 * @param {Issuer} issuer
 */
function secretBytes({ secret, secret_format: format }) {
  const text = secret ?? "";
  if (format === "jwk") return Buffer.from(String(JSON.parse(text).k), "base64url");
  return format === "base64url" ? Buffer.from(text, "base64url") : Buffer.from(text);
}

/**
 * `iss`, and the claim that names the tenant where there are tenants.
 * @param {Issuer} issuer
 */
function issuerOf({ issuer, tenants }) {
  const claim = /\{([^}]*)\}/.exec(issuer)?.[1];
  if (claim === undefined) return { iss: issuer };
  const tenant = tenants?.[0] ?? "demo-tenant";
  return { iss: issuer.replace(`{${claim}}`, tenant), ...claimAt(claim, tenant) };
}

/** @type {(value: object) => string} */
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/**
 * A token of an issuer of the configuration; undefined where the demo cannot make one, as for keys that stand in the file.
 * @param {Issuer} of
 * @param {Record<string, unknown>} claims
 */
export function mintToken(of, claims) {
  const { audience, audience_claims: names, algorithms, secret, keys: fixed } = of;
  if (fixed !== null && fixed !== undefined) return undefined;
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, exp: now + TOKEN_SECONDS };
  const payload = { ...issuerOf(of), ...claimAt(names[0] ?? "aud", audience[0]), sub: "demo", ...times, ...claims };
  const hmac = algorithms.find((alg) => alg in HMAC);
  if (secret !== null && hmac) {
    const input = `${encoded({ alg: hmac, typ: "JWT" })}.${encoded(payload)}`;
    const hash = HMAC[/** @type {keyof typeof HMAC} */ (hmac)];
    return `${input}.${createHmac(hash, secretBytes(of)).update(input).digest("base64url")}`;
  }
  const key = algorithms.map(signingKey).find((found) => found !== undefined);
  if (key === undefined) return undefined;
  const input = `${encoded({ alg: key.alg, typ: "JWT", kid: key.kid })}.${encoded(payload)}`;
  const signature = sign(key.hash, Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

/** The demo's customers, as a config API lists them. Their backends are answered here, as all are. */
const CUSTOMERS = ["acme-corp", "globex"].map((customerId) => ({
  customerId,
  backendUrl: `https://${customerId}.customers.example.com`,
}));

/**
 * Values for variables that are set nowhere: an address of the demo's, or a text.
 * @param {string[]} missing
 * @returns {Record<string, string>}
 */
export const demoVariables = (missing) =>
  Object.fromEntries(
    missing.map((name) => [
      name,
      /URL|ORIGIN|HOST/.test(name)
        ? `https://${name
            .toLowerCase()
            .replace(/_(url|origin|host)$/, "")
            .replaceAll("_", "-")}.demo.example.com`
        : `demo-only-value-of-${name}-which-is-no-secret`,
    ]),
  );

/** The demo: `tell` says what it stands for, and `handle` answers. */
export function createDemo() {
  /** @type {Form | undefined} */
  let form;
  return {
    /** @param {Form} next with its variables filled in */
    tell(next) {
      form = next;
    },
    /**
     * @param {IncomingMessage} request
     * @param {ServerResponse} response
     */
    handle(request, response) {
      request.on("error", () => response.destroy());
      answer(form, request, response);
    },
  };
}

/**
 * @param {Form | undefined} form
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 */
function answer(form, request, response) {
  const host = request.headers.host ?? "";
  const path = (request.url ?? "/").split("?")[0];
  const document = form && documentAt(form, host, path);
  if (document !== undefined) {
    request.resume();
    return void send(response, 200, document);
  }
  if (form && isConfigApi(form, host, path)) {
    request.resume();
    const id = decodeURIComponent(path.slice((urlOf(form.customers?.source?.url)?.pathname ?? "").length + 1));
    const found = id === "" ? CUSTOMERS : CUSTOMERS.find(({ customerId }) => customerId === id);
    return void send(response, found ? 200 : 404, found ?? { error: "not found" });
  }
  return void echo(form, host, request, response);
}

/**
 * @param {Form} form
 * @param {string} host
 * @param {string} path
 */
function documentAt({ issuers }, host, path) {
  const is = (/** @type {URL | undefined} */ url) => url?.host === host && url.pathname === path;
  for (const issuer of issuers) {
    if (issuer.jwks_url !== null && is(keysUrl(issuer))) return keySet(issuer);
    const discovery = urlOf(discoveryUrl(issuer));
    const jwks = `${issuer.issuer.replace(/\/$/, "")}/.well-known/jwks.json`;
    if (is(discovery)) return { issuer: issuer.issuer, jwks_uri: jwks };
    if (is(urlOf(jwks))) return keySet(issuer);
  }
  return undefined;
}

/** @param {Issuer} issuer */
const keySet = ({ algorithms }) => ({ keys: algorithms.map(signingKey).flatMap((key) => (key ? [key.jwk] : [])) });

/**
 * @param {Form} form
 * @param {string} host
 * @param {string} path
 */
function isConfigApi({ customers }, host, path) {
  const url = urlOf(customers?.source?.url);
  return url !== undefined && url.host === host && (path === url.pathname || path.startsWith(`${url.pathname}/`));
}

/**
 * The fields that the gateway sent: not those that the local runtime adds for itself.
 * @param {import("node:http").IncomingHttpHeaders} headers
 */
const sent = (headers) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("mf-") && name !== "cf-worker"));

/**
 * What arrived at a backend: which it is, and what the gateway made of the request.
 * @param {Form | undefined} form
 * @param {string} host
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 */
function echo(form, host, request, response) {
  const named = form?.backends.find(({ origins }) => origins.some(({ url }) => urlOf(url)?.host === host));
  let bytes = 0;
  request.on("data", (chunk) => (bytes += chunk.length));
  request.on("end", () =>
    send(response, 200, {
      backend: named?.name ?? host.split(":")[0],
      host,
      method: request.method,
      url: request.url,
      headers: sent(request.headers),
      ...(bytes > 0 && { body_bytes: bytes }),
    }),
  );
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 */
function send(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body, undefined, 2)}\n`);
}
