// The management API of the built Worker, and its answers beside the document that describes them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { inRoot } from "../../../scripts/lib/paths.mjs";
import { openIsolates } from "./directory.mjs";

export const BASE = "/ops/api";
export const DOCUMENT = JSON.parse(readFileSync(inRoot("schemas", "api.openapi.json"), "utf8"));
export const SCOPES = DOCUMENT.components.schemas.Self.properties.scopes.items.enum;

const TOML = `
[api_keys]
prefixes = ["sk_live", "sk_test"]
[customers]
claim = "customerId"
[directory]
max_staleness = "10s"
[operator]
api = "${BASE}"
[backends.shared]
url = "https://shared.example.com"
[[routes]]
path = "/hybrid/{+path}"
auth = ["api_key"]
rules = [{ name = "own", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
`;

const CHECKSUM_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
export const digestOf = (key) => createHash("sha256").update(key).digest("hex");

/**
 * Isolates with the API, and a root key in KV that may do everything. What `[operator.leaked_keys]` holds is `leakedKeys`;
 * `configApi`, `analytics` and `bindings` are as of `openIsolates`.
 */
export async function openApi({ leakedKeys, configApi, analytics, bindings } = {}) {
  const toml = leakedKeys === undefined ? TOML : `${TOML}\n[operator.leaked_keys]\n${leakedKeys}`;
  const isolates = await openIsolates({ toml, configApi, analytics, bindings });
  const root = `root_${CHECKSUM_DIGITS.slice(0, 24)}`;
  const kv = await isolates.kv();
  const putRoot = (key, more) =>
    kv.put(`key:${digestOf(key)}`, JSON.stringify({ subject: key.slice(0, 8), root: more }));
  await putRoot(root, { scopes: SCOPES });
  return {
    ...isolates,
    root,
    putRoot,
    /** Calls the API in the first isolate, with no root key where that is null; what is answered is as the document says. */
    async call(method, path, { key = root, body, bytes, headers = {} } = {}) {
      const sent = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
      const type = sent === undefined ? {} : { "content-type": "application/json" };
      const init = { method, body: sent, headers: { ...type, ...headers } };
      const credential = key ?? undefined;
      const { status, text, headers: fields } = await isolates.ask(0, credential, { path: `${BASE}${path}`, ...init });
      const answer = { status, fields, body: text === "" ? undefined : JSON.parse(text) };
      assertDescribed(method, path, answer);
      return answer;
    },
  };
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(DOCUMENT, "api");

/** Fails where the document does not describe this answer. */
function assertDescribed(method, path, { status, body, fields }) {
  const [name] = path.split("?");
  const described = operation(method, name);
  const about = `${method} ${path}: ${status} ${JSON.stringify(body)}`;
  if (described === undefined) return void assert.ok([404, 405].includes(status), about);
  const [at, responses] = described;
  const response = responses[status];
  assert.ok(response, `not described: ${about}`);
  const isProblem = status >= 400;
  assert.equal(fields.get("content-type"), isProblem ? "application/problem+json" : "application/json", about);
  assert.equal(fields.get("cache-control"), "no-store", about);
  const pointer = isProblem
    ? "#/components/schemas/Problem"
    : `#/paths/${pointerStep(at)}/${method.toLowerCase()}/responses/${status}/content/application~1json/schema`;
  const validate = ajv.getSchema(`api${pointer}`) ?? ajv.compile({ $ref: `api${pointer}` });
  assert.ok(validate(body), `${about}: ${ajv.errorsText(validate.errors)}`);
  if (isProblem) assert.equal(body.status, status, about);
}

function operation(method, path) {
  for (const [at, methods] of Object.entries(DOCUMENT.paths)) {
    const pattern = new RegExp(`^${at.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
    const own = methods[method.toLowerCase()];
    if (own && pattern.test(path)) return [at, own.responses];
  }
  return undefined;
}

const pointerStep = (text) =>
  text.replaceAll("~", "~0").replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D");
