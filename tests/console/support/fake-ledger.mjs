// The operator's endpoint of a gateway with a ledger, in memory and without a runtime; and a console that asks it.
import assert from "node:assert/strict";
import { createConsole } from "../../../console/app.js";
import { CONSOLE_SECRET } from "../../../demo/console.mjs";
import { OPERATOR_SECRET } from "../../../demo/gateway.mjs";
import "./core.mjs";
import { hiddenOf } from "./console.mjs";

const ORIGIN = "https://console.example.com";
const COOKIE = "__Host-pointsman-console";
export const PATH = "/ops/ledger";

const json = (value, status = 200) => Response.json(value, { status });
const nameOf = ({ digest, id }) => (digest === undefined ? `customer:${id}` : `key:${digest}`);

/** A ledger that does what crates/pointsman-ledger does, as far as the console sees it. */
export function fakeLedger() {
  const operations = new Map();
  const own = {
    /** name → { operator: { text, version, expires }, provider } */
    records: new Map(),
    lines: [],
    /** Bodies of commits as they arrived. */
    commits: [],
    sequence: 0,
    /** In place of any answer, where it is there: (request) → Response, or a failure. */
    instead: undefined,
    takenIn: true,
    /** Whether the indexes of the search are being built. */
    isBuilding: false,
    state: { on: true, off: null, switchedOff: false },
    put(name, record, actor = "somebody") {
      const { provider } = own.records.get(name) ?? {};
      own.sequence += 1;
      const operator = { text: JSON.stringify(record), version: own.sequence };
      own.records.set(name, { operator, provider });
      own.note(name, "put", { actor, operation: "", from: "" });
    },
    note(name, action, { actor, operation, from }) {
      const at = Date.UTC(2026, 6, 30, 12, 0, own.lines.length);
      own.lines.push({ sequence: own.lines.length + 1, revision: 1, at, actor, from, operation, action, name });
    },
    text: (name) => own.records.get(name)?.operator?.text,
    async fetch(target, init = {}) {
      const request = new Request(target, init);
      const url = new URL(request.url);
      assert.equal(url.pathname, PATH);
      const body = init.method === "POST" ? await request.text() : undefined;
      if (own.instead !== undefined) return own.instead(request, body);
      if (request.headers.get("authorization") !== `Bearer ${OPERATOR_SECRET}`) return json({ title: "no" }, 401);
      if (body !== undefined) return commit(JSON.parse(body));
      return look(url.searchParams);
    },
  };

  function look(query) {
    const shown = (name) => ({ name, ...own.records.get(name) });
    const limit = Number(query.get("limit"));
    if (query.size === 0) return json(own.state);
    if (!own.state.on && !query.has("trail")) return json({ error: "off" }, 503);
    if (query.has("record")) return json(shown(query.get("record")));
    if (query.has("trail")) {
      const before = Number(query.get("before") ?? Infinity);
      const [name, actor] = [query.get("name"), query.get("actor")?.toLowerCase() ?? ""];
      const isMeant = (line) => (name === null || line.name === name) && line.actor.toLowerCase().includes(actor);
      const all = own.lines.filter((line) => line.sequence < before && isMeant(line)).reverse();
      const lines = all.slice(0, limit);
      return json({ lines, ...(all.length > limit && { next: lines.at(-1).sequence }) });
    }
    if (query.has("search")) return find(query, limit, shown);
    const begin = query.has("keys") ? "key:" : `customer:${query.get("prefix") ?? ""}`;
    const behind = query.get("behind") ?? "";
    const names = [...own.records.keys()].sort().filter((name) => name.startsWith(begin));
    const wanted = names.filter((name) => name.slice(name.indexOf(":") + 1) > behind);
    const page = wanted.slice(0, limit);
    const next = wanted.length > limit ? page.at(-1).slice(page.at(-1).indexOf(":") + 1) : undefined;
    return json({ records: page.map(shown), next, takenIn: own.takenIn });
  }

  function find(query, limit, shown) {
    if (own.isBuilding) return json({ error: "index" }, 503);
    const by = query.get("search");
    const ofKey = (name) => JSON.parse(own.text(name) ?? "{}");
    const texts = {
      id: (name) => name.slice("customer:".length),
      digest: (name) => name.slice("key:".length).slice(0, 32),
      subject: (name) => ofKey(name).subject ?? "",
      customer: (name) => ofKey(name).claims?.customerId ?? "",
    };
    const all = [...own.records.keys()].filter((name) => name.startsWith(by === "id" ? "customer:" : "key:"));
    const wanted = query
      .get("text")
      .toLowerCase()
      .slice(0, by === "digest" ? 32 : undefined);
    const found = all.filter((name) => texts[by](name).toLowerCase().includes(wanted));
    found.sort((a, b) => (texts[by](a) < texts[by](b) ? -1 : 1));
    if (query.get("order") === "descending") found.reverse();
    const offset = Number(query.get("offset"));
    const records = found.slice(offset, offset + limit).map(shown);
    return json({ records, matching: found.length, total: all.length, takenIn: own.takenIn });
  }

  function commit({ operation, actor, from, edits }) {
    own.commits.push({ operation, actor, from, edits });
    if (!own.state.on) return json({ error: "off" }, 503);
    const asked = JSON.stringify({ actor, edits });
    const known = operations.get(operation);
    if (known !== undefined) return known === asked ? json({ revision: 1 }) : json({ error: "operationReused" }, 409);
    for (const edit of edits) {
      const version = own.records.get(nameOf(edit))?.operator?.version ?? 0;
      if (edit.expected !== version) return json({ error: "changed", version }, 409);
    }
    for (const edit of edits) {
      const name = nameOf(edit);
      const { provider } = own.records.get(name) ?? {};
      own.sequence += 1;
      const isPut = edit.edit.startsWith("put");
      if (isPut)
        own.records.set(name, {
          operator: { text: edit.json, version: own.sequence, expires: edit.expires },
          provider,
        });
      else if (provider) own.records.set(name, { provider });
      else own.records.delete(name);
      own.note(name, isPut ? "put" : "remove", { actor, operation, from });
    }
    operations.set(operation, asked);
    return json({ revision: 1, versions: [] });
  }
  return own;
}

/** KV that holds these entries, and says what was written to it. */
export function fakeKv(entries = {}) {
  const values = new Map(Object.entries(entries));
  const written = [];
  return {
    values,
    written,
    async get(names) {
      if (typeof names === "string") return values.get(names) ?? null;
      return new Map(names.map((name) => [name, values.get(name) ?? null]));
    },
    async list({ prefix }) {
      const keys = [...values.keys()].filter((name) => name.startsWith(prefix)).map((name) => ({ name }));
      return { keys, list_complete: true };
    },
    async put(name, text) {
      written.push(name);
      values.set(name, text);
    },
    async delete(name) {
      written.push(name);
      values.delete(name);
    },
  };
}

export const CONFIGURATION = {
  api_keys: { prefixes: ["sk_live"] },
  customers: {},
  operator: { ledger: PATH, secret: "${OPERATOR_SECRET}" },
  routes: [],
};

/** A console with a session, which is asked without a runtime. */
export async function signedIn({ ledger, kv = fakeKv(), configuration = CONFIGURATION, env = {} }) {
  const app = createConsole({ configuration, assets: [] });
  const bindings = { CONSOLE_SECRET, OPERATOR_SECRET, POINTSMAN_KV: kv, GATEWAY: ledger, ...env };
  let cookie = "";
  async function send(path, values) {
    const body = values && new URLSearchParams(values).toString();
    const headers = {
      "cf-connecting-ip": "192.0.2.7",
      ...(cookie && { cookie: `${COOKIE}=${cookie}` }),
      ...(body !== undefined && { origin: ORIGIN, "content-length": String(body.length) }),
    };
    const request = new Request(`${ORIGIN}${path}`, { method: body === undefined ? "GET" : "POST", headers, body });
    const answer = await app.fetch(request, bindings);
    const [, own] = /__Host-pointsman-console=([^;]*)/.exec(answer.headers.get("set-cookie") ?? "") ?? [];
    if (own) cookie = own;
    return { status: answer.status, location: answer.headers.get("location"), text: await answer.text() };
  }
  const client = {
    get: (path) => send(path),
    post: (path, values) => send(path, values),
    /** Loads `page`, fills in its form for `action` and sends it. */
    async submit(page, values, action = page) {
      const { text } = await send(page);
      return send(action, { ...hiddenOf(text, action), ...values });
    },
  };
  const { status } = await client.submit("/sign-in", { secret: CONSOLE_SECRET });
  assert.equal(status, 303);
  return client;
}
