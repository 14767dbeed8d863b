// The calls of the gateway's management API that the page needs: docs/api.md has all of them.

/** @typedef {{ id: string, version: number, state: string, record: { name?: string, prefix?: string, createdAt?: string, expiresAt?: string } }} Key */
/** @typedef {Key & { key: string }} NewKey the key itself is in this answer, and nowhere else */

/** What the API answered in place of what was asked for. */
export class ApiError extends Error {
  /** @param {number} status @param {{ detail?: string }} problem */
  constructor(status, problem) {
    super(problem.detail ?? `the API answered ${status}`);
    this.status = status;
  }
}

/**
 * The keys of one customer. The root key is limited to that customer: a fault of this program reaches nobody else.
 * @param {{ api: string, rootKey: string, customer: string }} options
 */
export function keysOf({ api, rootKey, customer }) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {{ body?: object, headers?: Record<string, string> }} [more]
   */
  async function call(method, path, { body, headers = {} } = {}) {
    const answer = await fetch(`${api}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${rootKey}`,
        ...(body && { "content-type": "application/json" }),
        ...headers,
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const said = /** @type {any} as the API's description says */ (await answer.json());
    if (!answer.ok) throw new ApiError(answer.status, said);
    return said;
  }
  const versionOf = (/** @type {string} */ version) => ({ "if-match": `"${version}"` });

  return {
    /** @returns {Promise<Key[]>} */
    async list() {
      const keys = [];
      let cursor;
      do {
        const query = new URLSearchParams({ customer, limit: "1000", ...(cursor && { cursor }) });
        const page = await call("GET", `/keys?${query}`);
        keys.push(...page.keys);
        cursor = page.next;
      } while (cursor);
      return keys;
    },
    /**
     * @param {{ name: string, user: string, expiresAt?: string }} wanted
     * @param {string} once a value for this call alone: the call that is made again with it happens once
     * @returns {Promise<NewKey>}
     */
    create: ({ name, user, expiresAt }, once) =>
      call("POST", "/keys", {
        body: { subject: user, name, claims: { customerId: customer }, ...(expiresAt && { expiresAt }) },
        headers: { "idempotency-key": once },
      }),
    /**
     * A new key in the place of one that goes on working for a while.
     * @param {string} id
     * @param {{ grace: string, version: string }} how
     * @param {string} once
     * @returns {Promise<NewKey>}
     */
    roll: (id, { grace, version }, once) =>
      call("POST", `/keys/${encodeURIComponent(id)}/roll`, {
        body: { grace },
        headers: { "idempotency-key": once, ...versionOf(version) },
      }),
    /** @param {string} id @param {string} version @returns {Promise<unknown>} */
    revoke: (id, version) => call("DELETE", `/keys/${encodeURIComponent(id)}`, { headers: versionOf(version) }),
  };
}
