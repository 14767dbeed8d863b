// The same gateway with every trick that ours knows: one handler that is synchronous where all is in memory, strings in
// place of URL objects, a plain init with copied Headers in place of a Request (so `cf` is not copied), callers known by
// the credential itself without hashing it, field names judged once, and a line written by hand.
import { type Context, Hono } from "hono";
import { mustGo, VIA } from "./fields.ts";
import {
  type Caller,
  type CustomerRecord,
  customers,
  type Env,
  type KeyRecord,
  loadCustomer,
  Remembered,
  sha256,
} from "./records.ts";
import { verified, verify } from "./tokens.ts";

type App = Context<{ Bindings: Env }>;

/** Callers by the key that they were found by. */
const known = new Remembered<Caller>(60_000);
const verdicts = new Map<string, boolean>();
const MAX_VERDICTS = 2048;
const LISTED_PREFIX = "/customer".length;
/** Else the zone's cache would give one caller's answer to the next. */
const NOTHING_CACHED = { cacheTtl: -1 };

const problem = (status: number, detail: string) =>
  new Response(JSON.stringify({ status, detail }), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });

async function load(c: App, credential: string, began: number): Promise<Response> {
  let caller: Caller;
  try {
    caller = credential.startsWith("sk_live_")
      ? await byApiKey(c.env, credential)
      : (verified.get(credential, began) ?? (await verify(credential)));
  } catch {
    return problem(401, "the credential is not valid");
  }
  const customer = customers.get(caller.customerId, began) ?? (await loadCustomer(c.env, caller.customerId));
  return customer === undefined ? problem(403, "customer not configured") : forward(c, caller, customer, began);
}

async function byApiKey(env: Env, key: string): Promise<Caller> {
  const record = await env.POINTSMAN_KV.get<KeyRecord>(`key:${await sha256(key)}`, "json");
  const now = Date.now();
  const ends = record?.expiresAt === undefined ? Infinity : Date.parse(record.expiresAt);
  if (record === null || record.disabled || ends <= now) throw new Error("not in use");
  const { customerId } = record.claims;
  if (typeof customerId !== "string") throw new Error("no customer");
  const caller: Caller = { subject: record.subject, customerId, auth: "api_key" };
  known.set(key, caller, now, ends);
  return caller;
}

function forward(
  c: App,
  { subject, customerId, auth }: Caller,
  { backendUrl }: CustomerRecord,
  began: number,
): Promise<Response> {
  const request = c.req.raw;
  const { url, method, body } = request;
  const path = url.indexOf("/", 8);
  const headers = copy(request.headers);
  const id = request.headers.get("cf-ray") ?? crypto.randomUUID();
  headers.set("x-request-id", id);
  headers.set("x-forwarded-proto", url.slice(0, url.indexOf(":")));
  headers.set("x-forwarded-host", url.slice(url.indexOf("//") + 2, path));
  headers.set("x-forwarded-for", request.headers.get("cf-connecting-ip") ?? "");
  headers.set("x-subject", subject);
  headers.set("x-customer-id", customerId);
  headers.set("x-authenticated-by", auth);
  const line = `{"event":"request","time":"${new Date(began).toISOString()}","request_id":"${id}","method":"${method}","auth":"${auth}","subject":${JSON.stringify(subject)},"customer":${JSON.stringify(customerId)},"origin":${JSON.stringify(backendUrl)}`;
  const end = (status: number) => console.log(`${line},"status":${status},"duration_ms":${Date.now() - began}}`);
  const answered = (answer: Response) => {
    end(answer.status);
    return answer;
  };
  const failed = () => {
    end(502);
    return problem(502, "no answer from the backend");
  };
  const target = `${backendUrl}${url.slice(path + LISTED_PREFIX)}`;
  return new Promise((resolve) => {
    let over = false;
    const expired = () => {
      over = true;
      end(504);
      resolve(problem(504, "the backend was too slow"));
    };
    // A timer costs less than a signal.
    const timer = setTimeout(expired, 30_000);
    const settle = (made: () => Response) => {
      clearTimeout(timer);
      resolve(made());
    };
    fetch(target, { method, headers, body, redirect: "manual", cf: NOTHING_CACHED }).then(
      (answer) => (over ? void answer.body?.cancel() : settle(() => answered(answer))),
      () => over || settle(failed),
    );
  });
}

/** A native copy of the fields without those that do not pass. */
function copy(fields: Headers): Headers {
  const headers = new Headers(fields);
  let via = VIA;
  for (const name of fields.keys()) {
    let goes = verdicts.get(name);
    if (goes === undefined) {
      goes = mustGo(name);
      if (verdicts.size < MAX_VERDICTS) verdicts.set(name, goes);
    }
    if (name === "via") via = `${fields.get(name)}, ${VIA}`;
    if (name === "connection") for (const listed of fields.get(name)?.split(",") ?? []) headers.delete(listed.trim());
    if (goes) headers.delete(name);
  }
  headers.set("via", via);
  return headers;
}

const app = new Hono<{ Bindings: Env }>();
app.all("/customer/*", (c) => {
  const began = Date.now();
  const field = c.req.raw.headers.get("authorization");
  if (field === null || !field.startsWith("Bearer ")) return problem(401, "a credential is required");
  const credential = field.slice(7);
  const caller = known.get(credential, began) ?? verified.get(credential, began);
  const customer = caller && customers.get(caller.customerId, began);
  return customer === undefined ? load(c, credential, began) : forward(c, caller as Caller, customer, began);
});

export default app;
