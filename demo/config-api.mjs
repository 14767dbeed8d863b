// The provider's own config API of the demo: the customers as JSON, for those who know the token.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** @import { ConfigApi, Customer } from "./types.d.ts" */

export const CONFIG_API_TOKEN = "demo-config-token";

/** @type {Customer[]} */
const listed = JSON.parse(readFileSync(new URL("../fixtures/customers.json", import.meta.url), "utf8"));
// Known to the API only, so that the demo shows a customer being loaded from it.
const unlisted = {
  customerId: "umbrella-corp",
  environmentName: "umbrella",
  backendUrl: "https://umbrella.tenants.example.com",
};

/** The customers that the API starts with; those of the file are the first ones. */
export const apiCustomers = () => structuredClone([...listed, unlisted]);
export const fileCustomers = () => structuredClone(listed);

/**
 * GET /customers and GET /customers/<id>, over a list that tests may change as they go. With `etags`, answers carry an
 * entity tag, and one that the caller holds already is 304.
 * @param {{ customers?: Customer[], token?: string, etags?: boolean }} [options]
 * @returns {ConfigApi}
 */
export function createConfigApi({ customers = apiCustomers(), token = CONFIG_API_TOKEN, etags = false } = {}) {
  /** @type {ConfigApi} */
  const api = { customers, token, etags, handle };
  return api;

  /** @type {ConfigApi["handle"]} */
  function handle(request, response) {
    /** @type {(status: number, body: unknown) => void} */
    const answer = (status, body) => {
      const text = `${JSON.stringify(body)}\n`;
      const etag = api.etags && status === 200 ? `"${createHash("sha256").update(text).digest("hex")}"` : undefined;
      if (etag && request.headers["if-none-match"] === etag) {
        response.writeHead(304, { etag }).end();
        return;
      }
      response.writeHead(status, { "content-type": "application/json", ...(etag && { etag }) });
      response.end(text);
    };
    request.resume();
    if (request.headers.authorization !== `Bearer ${api.token}`) return answer(401, { error: "unauthorized" });
    const path = (request.url ?? "").split("?")[0];
    if (path === "/customers") return answer(200, api.customers);
    const id = /^\/customers\/([^/]+)$/.exec(path)?.[1];
    const one = id && api.customers.find((customer) => String(customer.customerId) === decodeURIComponent(id));
    return one ? answer(200, one) : answer(404, { error: "not found" });
  }
}
