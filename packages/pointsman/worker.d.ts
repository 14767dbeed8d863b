// What a user's main module imports. The types are structural, so that they fit `wrangler types` and
// @cloudflare/workers-types alike, and need neither.

/** The handlers that the platform calls. A main module may call them from handlers of its own. */
export interface Gateway {
  /** Answers a request. Never throws, and its promise is never rejected. */
  fetch(request: Request, env: object, ctx: Context): Response | Promise<Response>;
  /** Refreshes what `gateway.toml` has refreshed by a schedule: bind a cron trigger in wrangler.toml. */
  scheduled(event: object, env: object, ctx: Context): Promise<void>;
}

/** What is used of the platform's execution context. */
export interface Context {
  waitUntil(promise: Promise<unknown>): void;
  passThroughOnException(): void;
}

/**
 * The gateway with a configuration: the default export of the module that `pointsman build` writes. A Worker has one.
 * @throws TypeError where that is something else, which keeps the Worker from being deployed
 */
export function gateway(configuration: string): Gateway;

/** A class of Durable Objects, for the main module to export. */
export interface ObjectClass {
  // biome-ignore lint/suspicious/noExplicitAny: the platform's types of both arguments differ by how they were generated
  new (ctx: any, env: any): object;
}

/** The ledger of keys and customers; bound as LEDGER. */
export const Ledger: ObjectClass;

/** Counts quotas; bound as QUOTAS where gateway.toml has any. */
export const Quota: ObjectClass;
