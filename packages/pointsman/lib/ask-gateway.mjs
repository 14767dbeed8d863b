// A case as a question to a gateway that runs: the request, with the fields by which an operator has it explained.
import { readFileSync } from "node:fs";
import { issuerOf, keyField, tokenField } from "./key-field.mjs";

/** @import { Case } from "./cases.mjs" */
/** @import { Form } from "./form.mjs" */

/** @typedef {{ name: string, cf?: string, type: string }} Operand */

/** What cases can say of the client, and where the platform says it. @type {Operand[]} */
const OPERANDS = JSON.parse(readFileSync(new URL("../schemas/operands.json", import.meta.url), "utf8"));

const HOST = "gateway.example.com";

/** @type {(value: object) => string} */
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/**
 * The URL and the fields. A problem where a case has what a gateway that runs cannot be asked.
 * @param {Case} one
 * @param {{ secret: string, form: Form }} gateway
 * @returns {{ url: string, method: string, headers: [string, string][] } | { problem: string }}
 */
export function question({ request }, { secret, form }) {
  const { path, method = "GET", host = HOST, headers = {}, key, jwt, claims, subject, authorize, ip, now } = request;
  if (now !== undefined) return { problem: "it names a time, and workerd has its own" };
  if (authorize !== undefined) return { problem: "it gives a service's answer, and workerd asks the service itself" };
  /** @type {[string, string][]} */
  const fields = [["x-pointsman-explain", secret]];
  for (const [name, values] of Object.entries(headers)) for (const value of [values].flat()) fields.push([name, value]);
  if (key !== undefined) {
    fields.push(form.api_keys ? keyField(form.api_keys, key) : ["authorization", `Bearer ${key}`]);
  }
  if (jwt !== undefined) fields.push(tokenField(issuerOf(form, jwt), jwt));
  if (claims !== undefined || subject !== undefined)
    fields.push(["x-pointsman-claims", encoded({ ...claims, ...(subject === undefined ? {} : { sub: subject }) })]);
  const cf = clientOf(request);
  if (ip !== undefined) cf.ip = ip;
  if (Object.keys(cf).length > 0) fields.push(["x-pointsman-cf", encoded(cf)]);
  return { url: path.startsWith("/") ? `https://${host}${path}` : path, method, headers: fields };
}

/**
 * Members of the platform's `request.cf`, as it sends them.
 * @param {Case["request"]} request
 */
function clientOf(request) {
  /** @type {Record<string, unknown>} */
  const cf = {};
  for (const { name, cf: path } of OPERANDS) {
    const value = request[name];
    if (path === undefined || value === undefined) continue;
    // The platform says "1" where a country is in the EU, and nothing where it is not.
    if (typeof value === "boolean") {
      if (value) cf[path] = "1";
      continue;
    }
    const [outer, inner] = path.split(".");
    cf[outer] = inner === undefined ? value : { [inner]: value };
  }
  return cf;
}
