// KV as the ledger uses it. Each operation has a time limit and an outcome, and is never rejected: that KV refuses is nothing
// out of the ordinary, and the ledger decides what follows.

/** Longer than any operation of KV's that comes to an end, so that nothing is taken for failed that was done. */
const LIMIT_MS = 20_000;

/**
 * @template Result
 * @typedef {{ result: Result } | { failed: "unavailable" | "timeout" }} Outcome
 */

/** @typedef {{ expiration?: number, metadata?: unknown }} Keeps */

/**
 * @param {KVNamespace} kv
 * @param {number} [limit] milliseconds that an operation may take
 */
export const makeStore = (kv, limit = LIMIT_MS) => ({
  /** @type {(name: string, value: Uint8Array, keeps: Keeps) => Promise<Outcome<null>>} */
  put: (name, value, keeps) => outcomeOf(limit, async () => kv.put(name, value, keeps).then(() => null)),

  /** @type {(name: string) => Promise<Outcome<null>>} */
  delete: (name) => outcomeOf(limit, async () => kv.delete(name).then(() => null)),

  /**
   * The values of at most 100 entries in the order of their names, null where there is none: one operation.
   * @type {(names: string[], cacheTtl: number) => Promise<Outcome<(string | null)[]>>}
   */
  texts: (names, cacheTtl) =>
    outcomeOf(limit, async () => {
      const found = await kv.get(names, { type: "text", cacheTtl });
      return names.map((name) => found.get(name) ?? null);
    }),

  /** @type {(name: string, cacheTtl: number) => Promise<Outcome<Uint8Array<ArrayBuffer> | null>>} */
  bytes: (name, cacheTtl) =>
    outcomeOf(limit, async () => {
      const found = await kv.get(name, { type: "arrayBuffer", cacheTtl });
      return found && new Uint8Array(found);
    }),

  /**
   * One page of names, each with its expiry and metadata where there are any.
   * @type {(prefix: string, cursor: string | undefined, limit: number) => Promise<Outcome<Page>>}
   */
  list: (prefix, cursor, most) =>
    outcomeOf(limit, async () => {
      const page = await kv.list({ prefix, limit: most, ...(cursor !== undefined && { cursor }) });
      return { entries: page.keys, ...(!page.list_complete && { cursor: page.cursor }) };
    }),
});

/** @typedef {ReturnType<typeof makeStore>} Store */

/** @typedef {{ entries: ({ name: string } & Keeps)[], cursor?: string }} Page */

/**
 * Not the message of an exception: it may quote a name.
 * @template Result
 * @param {number} limit
 * @param {() => Promise<Result>} act
 * @returns {Promise<Outcome<Result>>}
 */
async function outcomeOf(limit, act) {
  /** @type {PromiseWithResolvers<Outcome<Result>>} */
  const { promise: timeout, resolve } = Promise.withResolvers();
  const timer = setTimeout(() => resolve({ failed: "timeout" }), limit);
  /** @type {Promise<Outcome<Result>>} */
  const end = act().then(
    (result) => ({ result }),
    () => ({ failed: "unavailable" }),
  );
  return Promise.race([end, timeout]).finally(() => clearTimeout(timer));
}
