// Customers through the console: what it writes is what the gateway reads.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { openConsole } from "./support/console.mjs";

let own;
let client;
let kv;
before(async () => {
  own = await openConsole();
  client = await own.signedIn();
  kv = await own.kv();
});
after(() => own?.stop());

const at = (id, path = "/customer") => `${path}?${new URLSearchParams({ id })}`;
const record = async (id) => JSON.parse(await kv.get(`customer:${id}`));
const put = (id, value) => kv.put(`customer:${id}`, typeof value === "string" ? value : JSON.stringify(value));
const good = (id) => ({ customerId: id, backendUrl: "https://acme.tenants.example.com" });
/** Ids of fields that the summary links to. */
const faulty = (text) => [...text.matchAll(/<li><a href="#([^"]+)">/g)].map(([, id]) => id);

test("a customer is created, shown, edited, disabled, enabled and removed", async () => {
  const created = await client.submit("/customers/new", {
    customerId: "new-corp",
    backendUrl: "https://acme.tenants.example.com/base",
    environmentName: "new",
    allowedIps: "192.0.2.0/24\r\n\r\n2001:db8::/32",
    "url-1": "https://b.example.com",
    "region-1": "eu",
    "weight-1": "3",
  });
  assert.equal(created.status, 303, created.text);
  const first = {
    customerId: "new-corp",
    backendUrl: "https://acme.tenants.example.com/base",
    backends: [{ url: "https://b.example.com", region: "eu", weight: 3 }],
    environmentName: "new",
    allowedIps: ["192.0.2.0/24", "2001:db8::/32"],
  };
  assert.deepEqual(await record("new-corp"), first);
  const { value, metadata } = await kv.getWithMetadata("customer:new-corp");
  assert.deepEqual(metadata, { sha256: createHash("sha256").update(value).digest("hex") });

  const page = await client.get(created.location);
  assert.match(page.text, /Created\./);
  assert.match(page.text, /value="https:\/\/b\.example\.com"/);
  const saved = await client.submit(at("new-corp"), {
    backendUrl: "https://wayne.tenants.example.com",
    disabled: "yes",
  });
  assert.equal(saved.status, 303, saved.text);
  assert.deepEqual(await record("new-corp"), {
    customerId: "new-corp",
    backendUrl: "https://wayne.tenants.example.com",
    disabled: true,
  });

  assert.equal((await client.submit(at("new-corp"), { to: "on" }, at("new-corp", "/customer/switch"))).status, 303);
  assert.deepEqual(await record("new-corp"), {
    customerId: "new-corp",
    backendUrl: "https://wayne.tenants.example.com",
  });
  assert.equal((await client.submit(at("new-corp"), { to: "off" }, at("new-corp", "/customer/switch"))).status, 303);
  assert.equal((await record("new-corp")).disabled, true);

  assert.equal((await client.submit(at("new-corp", "/customer/remove"), {})).status, 303);
  assert.equal(await kv.get("customer:new-corp"), null);
  assert.equal((await client.get(at("new-corp"))).status, 404);
  for (const action of ["create", "edit", "disable", "enable", "remove"]) {
    const line = JSON.parse(await own.logged(new RegExp(`"action":"${action}","entry":"customer:new-corp"`)));
    assert.equal(line.event, "console_change");
    assert.match(line.who, /^session [\w-]{8}$/);
  }
});

test("what the gateway would refuse is refused at its field, and nothing typed is lost", async () => {
  const typed = {
    customerId: "bad-corp",
    backendUrl: "http://plain.example.com",
    environmentName: "keep <me>",
    allowedIps: "10.0.0.1/8",
    "url-0": "https://ok.example.com",
    "url-2": "ftp://x",
    "weight-2": "many",
    disabled: "yes",
  };
  const answer = await client.submit("/customers/new", typed);
  assert.equal(answer.status, 422);
  assert.deepEqual(faulty(answer.text), ["weight-2", "backendUrl", "url-2", "allowedIps"]);
  for (const id of faulty(answer.text)) {
    assert.match(answer.text, new RegExp(`id="${id}-fault"`));
    assert.match(answer.text, new RegExp(`id="${id}"[^>]*aria-describedby="[^"]*${id}-fault" aria-invalid="true"`));
  }
  for (const text of [
    "bad-corp",
    "http://plain.example.com",
    "keep &lt;me&gt;",
    "10.0.0.1/8",
    "https://ok.example.com",
    "ftp://x",
    "many",
  ])
    assert.ok(answer.text.includes(text), text);
  assert.match(answer.text, /name="disabled"[^>]* checked/);
  assert.match(answer.text, /<title>Error: /);
  assert.equal(await kv.get("customer:bad-corp"), null);
  for (const [values, id] of [
    [{ customerId: "", backendUrl: "https://x.example" }, "customerId"],
    [{ customerId: "x".repeat(257), backendUrl: "https://x.example" }, "customerId"],
    [{ customerId: "acme-corp", backendUrl: "https://x.example" }, "customerId"],
    [{ customerId: "no-backend" }, "backendUrl"],
  ]) {
    assert.deepEqual(faulty((await client.submit("/customers/new", values)).text), [id], JSON.stringify(values));
  }
});

test("a record that changed meanwhile is not written over unseen", async () => {
  await put("race", good("race"));
  const before = await client.get(at("race"));
  await put("race", { ...good("race"), environmentName: "theirs" });
  const { hiddenOf } = await import("./support/console.mjs");
  const typed = { ...hiddenOf(before.text, at("race")), backendUrl: "https://mine.example.com" };
  const refused = await client.post(at("race"), typed);
  assert.equal(refused.status, 409);
  assert.match(refused.text, /changed by somebody else/);
  assert.match(refused.text, /https:\/\/mine\.example\.com/);
  assert.match(refused.text, /theirs/);
  assert.equal((await record("race")).environmentName, "theirs");
  const again = await client.post(at("race"), { ...typed, ...hiddenOf(refused.text, at("race")) });
  assert.equal(again.status, 303);
  assert.equal((await record("race")).backendUrl, "https://mine.example.com");
  await put("race", good("race"));
  assert.equal(
    (
      await client.post(at("race", "/customer/switch"), {
        ...hiddenOf(before.text, at("race", "/customer/switch")),
        was: "0",
        to: "off",
      })
    ).status,
    409,
  );
  assert.equal((await record("race")).disabled, undefined);
});

const fetched = { fetchedAt: "2026-07-30T12:00:00.000Z", generation: 3, etag: '"a"', scheduled: true };
const refreshed = (id) => `source:customer:${id}`;

// Beside it a record that a gateway of an older version left under the operator's name.
for (const [id, name] of [
  ["api-corp", refreshed("api-corp")],
  ["left-corp", "customer:left-corp"],
]) {
  test(`a record of the config API says so and is taken over only knowingly (${name})`, async () => {
    const text = JSON.stringify({ ...good(id), ...fetched });
    await kv.put(name, text);
    const page = await client.get(at(id));
    assert.match(page.text, /This record is the config API.s/);
    assert.ok(page.text.includes(`<code>${name}</code>`));
    assert.doesNotMatch(page.text, /action="\/customer\/switch|Remove …/);
    const refused = await client.submit(at(id), { backendUrl: "https://own.example.com" });
    assert.equal(refused.status, 422);
    assert.deepEqual(faulty(refused.text), ["takeOver"]);
    const created = await client.submit("/customers/new", { customerId: id, backendUrl: "https://own.example.com" });
    assert.deepEqual([created.status, faulty(created.text)], [422, ["customerId"]]);
    assert.equal((await client.get(at(id, "/customer/remove"))).status, 422);
    assert.equal(await kv.get(name), text);
    assert.equal((await client.submit(at(id), { backendUrl: "https://own.example.com", takeOver: "yes" })).status, 303);
    assert.deepEqual(await record(id), { customerId: id, backendUrl: "https://own.example.com" });
    await own.logged(new RegExp(`"action":"take over","entry":"customer:${id}"`));
  });
}

test("the config API's record stands beside the operator's, is never written, and counts again when that is removed", async () => {
  const text = JSON.stringify({ ...good("both-corp"), ...fetched, backendUrl: "https://api.example.com" });
  await put("both-corp", { ...good("both-corp"), backendUrl: "https://own.example.com" });
  await kv.put(refreshed("both-corp"), text);
  const page = await client.get(at("both-corp"));
  assert.match(page.text, /value="https:\/\/own\.example\.com"/);
  assert.match(page.text, /What the config API says[\s\S]*api\.example\.com/);
  for (const [query, shown] of [
    ["", "own record, before the config API&#39;s"],
    ["of=api&", "own record, before the config API&#39;s"],
  ]) {
    const { text: list } = await client.get(`/customers?${query}prefix=both-`);
    assert.ok(list.includes("both-corp") && list.includes(shown), list);
  }
  assert.equal((await client.submit(at("both-corp"), { to: "off" }, at("both-corp", "/customer/switch"))).status, 303);
  assert.equal((await record("both-corp")).disabled, true);
  assert.match(
    (await client.get(at("both-corp", "/customer/remove"))).text,
    /counts again from then on:[\s\S]*api\.example\.com/,
  );
  const removed = await client.submit(at("both-corp", "/customer/remove"), {});
  assert.match((await client.get(removed.location)).text, /What the config API says of this customer counts again\./);
  assert.equal(await kv.get("customer:both-corp"), null);
  assert.equal(await kv.get(refreshed("both-corp")), text);

  // One that cannot be read decides all the same.
  await put("both-corp", "<html>");
  assert.match((await client.get(at("both-corp"))).text, /cannot use this record/);
});

test("customers of whom only the config API knows are found", async () => {
  await kv.put(refreshed("only-api"), JSON.stringify({ ...good("only-api"), ...fetched }));
  assert.doesNotMatch((await client.get("/customers?prefix=only-")).text, /only-api/);
  const { text } = await client.get("/customers?of=api&prefix=only-");
  assert.match(text, /only-api[\s\S]*config API/);
  assert.doesNotMatch(text, /source:customer/);
});

test("hostile contents of a record stay text, wherever they are shown", async () => {
  const evil = `"><script src=//evil.example></script><img src=x onerror=alert(1)>'`;
  const id = `evil-${evil}`;
  await put(id, {
    customerId: id,
    backendUrl: evil,
    environmentName: evil,
    allowedIps: [evil],
    backends: [{ url: evil, region: evil }],
    [evil]: evil,
  });
  await put("evil-json", `{"customerId": ${evil}`);
  await kv.put(
    `key:${"e".repeat(64)}`,
    JSON.stringify({ subject: evil, name: evil, claims: { customerId: id, [evil]: [evil] }, createdAt: evil }),
  );
  const pages = [
    "/customers?prefix=evil",
    at(id),
    at("evil-json"),
    at(id, "/customer/remove"),
    "/keys",
    `/keys?${new URLSearchParams({ by: "subject", text: evil })}`,
    `/key?digest=${"e".repeat(64)}`,
    `/key/revoke?digest=${"e".repeat(64)}`,
    `/customers?${new URLSearchParams({ prefix: evil })}`,
    `/customer?${new URLSearchParams({ id: `no ${evil}` })}`,
    `/explain?${new URLSearchParams({ url: evil })}`,
  ];
  for (const path of pages) {
    const { text, status } = await client.get(path);
    assert.ok(status === 200 || status === 404, `${status} ${path}`);
    assert.match(text, /&lt;script|&#34;&gt;|&quot;&gt;/, `shown as text on ${path}`);
    assert.doesNotMatch(text, /<script src=\/\/|<img/, path);
  }
  assert.match((await client.get(at(id))).text, /cannot use this record/);
  await Promise.all([kv.delete(`customer:${id}`), kv.delete("customer:evil-json"), kv.delete(`key:${"e".repeat(64)}`)]);
});

test("customers are searched by how their ids begin, and paged", async () => {
  await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      put(`page-${String(i).padStart(2, "0")}`, good(`page-${String(i).padStart(2, "0")}`)),
    ),
  );
  const ids = (text) => [...text.matchAll(/href="\/customer\?id=(page-\d+)"/g)].map(([, id]) => id);
  const first = await client.get("/customers?prefix=page-");
  const next = /<a href="(\/customers\?[^"]*cursor=[^"]*)">Next page/.exec(first.text)[1].replaceAll("&amp;", "&");
  const second = await client.get(next);
  assert.equal(ids(first.text).length, 50);
  assert.equal(ids(second.text).length, 10);
  assert.equal(new Set([...ids(first.text), ...ids(second.text)]).size, 60);
  assert.doesNotMatch(second.text, /Next page/);
  assert.deepEqual(ids((await client.get("/customers?prefix=page-3")).text).length, 10);
  assert.match((await client.get("/customers?prefix=nobody")).text, /No customer/);
});

test("removing asks first and shows the keys that name the customer", async () => {
  const { text } = await client.get(at("acme-corp", "/customer/remove"));
  assert.match(text, /Remove acme-corp\?/);
  assert.match(text, /demo-acme/);
  assert.doesNotMatch(text, /demo-wayne/);
  assert.ok(await kv.get("customer:acme-corp"));
});

test("ids of any kind are found again", async () => {
  for (const id of ["..", "a/b?c#d", "100% düsseldorf", "a+b c", "&amp;"]) {
    const created = await client.submit("/customers/new", {
      customerId: id,
      backendUrl: "https://acme.tenants.example.com",
    });
    assert.equal(created.status, 303, id);
    assert.equal((await client.get(created.location)).status, 200, id);
    assert.equal((await client.submit(at(id, "/customer/remove"), {})).status, 303, id);
    assert.equal(await kv.get(`customer:${id}`), null, id);
  }
});

test("an expiry and metadata that an entry has in KV outlive an edit", async () => {
  const expiration = Math.floor(Date.now() / 1000) + 3600;
  await kv.put("customer:ending", JSON.stringify(good("ending")), {
    expiration,
    metadata: { ticket: "OPS-7", sha256: "old" },
  });
  assert.equal((await client.submit(at("ending"), { to: "off" }, at("ending", "/customer/switch"))).status, 303);
  const { keys } = await kv.list({ prefix: "customer:ending" });
  assert.equal(keys[0].expiration, expiration);
  const sha256 = createHash("sha256")
    .update(await kv.get("customer:ending"))
    .digest("hex");
  assert.deepEqual(keys[0].metadata, { ticket: "OPS-7", sha256 }, "and what else the metadata says");
});

test("the gateway sends a customer's requests to where the console says", async () => {
  const created = await client.submit("/customers/new", {
    customerId: "hooli-inc",
    backendUrl: "https://stark.tenants.example.com",
  });
  assert.equal(created.status, 303);
  const answer = await fetch(`${own.gatewayUrl}/customers/hello`, {
    headers: { authorization: `Bearer ${demoKey("unlisted")}` },
  });
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).backend, "stark.tenants");
});

test("a customer's own hosts are found with the record, and are one customer's", async () => {
  const pointer = async (host) => JSON.parse((await kv.get(`host:${host}`)) ?? "null")?.customerId;
  const shown = { backendUrl: "https://acme.tenants.example.com" };
  await put("hosts-one", good("hosts-one"));
  await put("hosts-two", good("hosts-two"));
  const hosts = "api.one.example\r\nwww.one.example";
  assert.equal((await client.submit(at("hosts-one"), { ...shown, hosts })).status, 303);
  assert.deepEqual((await record("hosts-one")).hosts, ["api.one.example", "www.one.example"]);
  assert.equal(await pointer("api.one.example"), "hosts-one");

  const taken = await client.submit(at("hosts-two"), { ...shown, hosts: "api.one.example" });
  assert.equal(taken.status, 503);
  assert.match(taken.text, /Nothing was changed\. api\.one\.example is a host of the customer hosts-one/);
  assert.equal((await record("hosts-two")).hosts, undefined);
  const faults = await client.submit(at("hosts-two"), { ...shown, hosts: "b.example\nAPI.example" });
  assert.deepEqual(faulty(faults.text), ["hosts"]);

  assert.equal((await client.submit(at("hosts-one"), { ...shown, hosts: "www.one.example" })).status, 303);
  assert.equal(await pointer("api.one.example"), undefined);
  assert.equal((await client.submit(at("hosts-two"), { ...shown, hosts: "api.one.example" })).status, 303);
  assert.equal(await pointer("api.one.example"), "hosts-two");
  assert.equal((await client.submit(at("hosts-one", "/customer/remove"), {})).status, 303);
  assert.equal(await pointer("www.one.example"), undefined);
});
