// What KV holds, and what is remembered of it: the same records, kept for the same times, as the gateway's own.
export interface Env {
  POINTSMAN_KV: KVNamespace;
}

export interface KeyRecord {
  subject: string;
  claims: Record<string, unknown>;
  disabled?: boolean;
  expiresAt?: string;
}

export interface CustomerRecord {
  customerId: string;
  backendUrl: string;
  environmentName?: string;
  disabled?: boolean;
}

export interface Caller {
  subject: string;
  customerId: string;
  auth: "api_key" | "main";
}

/** Values that are used for so long, and at most so many. */
export class Remembered<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();

  constructor(
    readonly lifetime: number,
    readonly most = 10_000,
  ) {}

  get(name: string, now: number): T | undefined {
    const entry = this.#entries.get(name);
    return entry !== undefined && now < entry.until ? entry.value : undefined;
  }

  set(name: string, value: T, now: number, until = now + this.lifetime): void {
    if (this.#entries.size >= this.most) this.#entries.delete(this.#entries.keys().next().value as string);
    this.#entries.set(name, { value, until: Math.min(until, now + this.lifetime) });
  }
}

export const customers = new Remembered<CustomerRecord>(300_000);

export async function loadCustomer(env: Env, id: string): Promise<CustomerRecord | undefined> {
  const record = await env.POINTSMAN_KV.get<CustomerRecord>(`customer:${id}`, "json");
  if (record === null || record.disabled) return undefined;
  customers.set(id, record, Date.now());
  return record;
}

export const hex = (digest: ArrayBuffer): string =>
  [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const sha256 = async (text: string): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
