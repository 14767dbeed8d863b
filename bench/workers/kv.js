// Workers KV, as far as a gateway reads it: every key is known, and every customer, by a rule and not by a store. So a
// million of them take no room here.
/** @type {(text: string) => string} */
const digits = (text) => text.slice(0, 12);

/**
 * `claims` are further claims of every key.
 * @param {string} name
 * @param {{ claims?: object }} rules
 */
function record(name, { claims = {} }) {
  const [kind, id] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
  if (kind === "key") {
    const customer = `customer-${digits(id)}`;
    const own = {
      customerId: customer,
      environment: "production",
      subscription_tier: "enterprise",
      tenant_id: `tenant-${digits(id)}`,
    };
    return { subject: `user-${digits(id)}`, claims: { ...own, ...claims } };
  }
  if (kind === "customer")
    return { customerId: id, environmentName: "production", backendUrl: `https://${id}.tenants.example.com` };
  return undefined;
}

export default {
  /**
   * @param {Request} request
   * @param {{ RULES: { claims?: object } }} env
   */
  async fetch(request, { RULES }) {
    const name = decodeURIComponent(/^[^/]*\/\/[^/]*\/([^?]*)/.exec(request.url)?.[1] ?? "");
    const found = request.method === "GET" ? record(name, RULES) : undefined;
    if (request.method === "PUT") return new Response();
    return found ? new Response(JSON.stringify(found)) : new Response(null, { status: 404 });
  },
};
