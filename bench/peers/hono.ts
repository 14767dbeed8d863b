// A gateway on Hono and jose, as it is usually written: middleware, a URL object, a Request made from the request.
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { isRemoved, VIA } from "./fields.ts";
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

type App = { Bindings: Env; Variables: { caller: Caller; customer: CustomerRecord } };

const apiKeys = new Remembered<KeyRecord>(60_000);
const refused = (detail: string) => new HTTPException(401, { message: detail });

async function byApiKey(env: Env, key: string): Promise<Caller> {
  const digest = await sha256(key);
  const now = Date.now();
  let record = apiKeys.get(digest, now);
  if (record === undefined) {
    record = (await env.POINTSMAN_KV.get<KeyRecord>(`key:${digest}`, "json")) ?? undefined;
    if (record === undefined) throw refused("unknown key");
    apiKeys.set(digest, record, now);
  }
  if (record.disabled || (record.expiresAt !== undefined && Date.parse(record.expiresAt) <= now))
    throw refused("this key is not in use");
  const { customerId } = record.claims;
  if (typeof customerId !== "string") throw refused("no customer");
  return { subject: record.subject, customerId, auth: "api_key" };
}

async function byToken(token: string): Promise<Caller> {
  try {
    return verified.get(token, Date.now()) ?? (await verify(token));
  } catch {
    throw refused("this token is not valid");
  }
}

const log = createMiddleware<App>(async (c, next) => {
  const began = Date.now();
  await next();
  const { subject, customerId, auth } = c.get("caller") ?? {};
  const backend = c.get("customer")?.backendUrl;
  const line = {
    event: "request",
    time: new Date(began).toISOString(),
    request_id: c.req.header("cf-ray"),
    method: c.req.method,
    auth,
    subject,
    customer: customerId,
    origin: backend,
  };
  console.log(JSON.stringify({ ...line, status: c.res.status, duration_ms: Date.now() - began }));
});

const authenticate = createMiddleware<App>(async (c, next) => {
  const credential = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (credential === undefined) throw refused("a credential is required");
  c.set("caller", credential.startsWith("sk_live_") ? await byApiKey(c.env, credential) : await byToken(credential));
  await next();
});

const findCustomer = createMiddleware<App>(async (c, next) => {
  const { customerId } = c.get("caller");
  const customer = customers.get(customerId, Date.now()) ?? (await loadCustomer(c.env, customerId));
  if (customer === undefined) throw new HTTPException(403, { message: "customer not configured" });
  c.set("customer", customer);
  await next();
});

async function forward(c: Context<App>): Promise<Response> {
  const url = new URL(c.req.url);
  const { protocol, host } = url;
  const backend = new URL(c.get("customer").backendUrl);
  url.protocol = backend.protocol;
  url.host = backend.host;
  url.pathname = url.pathname.replace(/^\/customer/, "");

  const request = new Request(url, c.req.raw);
  const { headers } = request;
  const connection = headers.get("connection");
  for (const name of connection?.split(",") ?? []) headers.delete(name.trim());
  const via = headers.get("via");
  for (const name of [...headers.keys()]) if (isRemoved(name)) headers.delete(name);
  const { subject, customerId, auth } = c.get("caller");
  headers.set("via", via === null ? VIA : `${via}, ${VIA}`);
  headers.set("x-request-id", c.req.header("cf-ray") ?? crypto.randomUUID());
  headers.set("x-forwarded-proto", protocol.slice(0, -1));
  headers.set("x-forwarded-host", host);
  headers.set("x-forwarded-for", c.req.header("cf-connecting-ip") ?? "");
  headers.set("x-subject", subject);
  headers.set("x-customer-id", customerId);
  headers.set("x-authenticated-by", auth);
  try {
    // Else the zone's cache would give one caller's answer to the next.
    const cf = { cacheTtl: -1 };
    return await fetch(request, { redirect: "manual", signal: AbortSignal.timeout(30_000), cf });
  } catch (error) {
    if ((error as Error).name === "TimeoutError") throw new HTTPException(504, { message: "the backend was too slow" });
    throw new HTTPException(502, { message: "no answer from the backend" });
  }
}

const app = new Hono<App>();
app.use(log);
app.use("/customer/*", authenticate, findCustomer);
app.all("/customer/*", forward);

export default app;
