// The console reads records by the core, as the gateway does, and shows what it says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCustomer, checkKey, customerEntry, isKey, keyEntry, millisOf, mintKey } from "../../console/core.js";
import { counting } from "../../console/customer-entries.js";
import { spoken } from "../../console/how-soon.js";
import { parseToShow, readObject } from "../../console/json.js";
import { endAfterGrace, endThatLiesAhead, readKey } from "../../console/key-entries.js";
import { faultInForm, recordOf, valuesOf } from "../../console/pages/customer-form.js";
import { settingsOf } from "../../console/settings.js";
import { metadataWith } from "../../console/store.js";
import { createThrottle } from "../../console/throttle.js";
import { inWords } from "../../console/words.js";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { checksum, kvName } from "../../demo/keys.mjs";
import { demoEntries, demoKeys } from "../../demo/seed.mjs";
import { json } from "../workerd/support/files.mjs";
import "./support/core.mjs";

const NOW = Date.UTC(2026, 0, 1);
const pointers = ({ findings }) => findings.map(({ pointer }) => pointer);

test("the table of records holds here too: crates/pointsman-js tries it natively", () => {
  const table = json("fixtures/records.json");
  assert.ok(table.length > 80);
  for (const { kind, record, fault } of table) {
    const checked = kind === "key" ? checkKey(record, "customerId", NOW) : checkCustomer(record, "acme-corp", "never");
    assert.deepEqual(pointers(checked), fault === null ? [] : [fault], record);
    assert.equal(checked[kind] === null, fault !== null, record);
    for (const { message } of checked.findings) assert.ok(message.length > 10, record);
  }
});

test("all that is wrong is found at once, in the gateway's words", () => {
  const record = {
    customerId: "acme-corp",
    backendUrl: "http://x.example",
    backends: [{ url: "https://y.example", weight: "many" }],
    allowedIps: ["10.0.0.1/8", "::/0", "x"],
  };
  assert.deepEqual(checkCustomer(JSON.stringify(record), "acme-corp", "never"), {
    findings: [
      { pointer: "/backends/0/weight", message: "must be a whole number from 0 to 4294967295, not text" },
      { pointer: "/backendUrl", message: "must be https (allow_http permits http for development)" },
      { pointer: "/allowedIps/0", message: "must be an address or a range such as 192.0.2.0/24" },
      { pointer: "/allowedIps/2", message: "must be an address or a range such as 192.0.2.0/24" },
    ],
    customer: null,
  });
});

test("all of the demo's records are good", () => {
  for (const { record } of demoKeys())
    assert.deepEqual(checkKey(JSON.stringify(record), "customerId", NOW).findings, []);
  const customers = demoEntries().filter(([name]) => name.startsWith(customerEntry("")));
  assert.ok(customers.length > 0);
  for (const [name, text] of customers) {
    assert.deepEqual(checkCustomer(text, name.slice(customerEntry("").length), "never").findings, []);
  }
});

test("what is wrong with a record is shown at its field of the form", () => {
  const at = (pointer, rows) => {
    const { id, label, what } = faultInForm({ pointer, message: "m" }, rows);
    assert.equal(what, "m");
    return [id, label];
  };
  assert.deepEqual(at("/backendUrl", []), ["backendUrl", "Backend URL"]);
  assert.deepEqual(at("/backends/1/weight", [0, 3]), ["weight-3", "Backend 4"]);
  assert.deepEqual(at("/backends/1", [0, 3]), ["url-3", "Backend 4"]);
  assert.deepEqual(at("/backends/1/weight"), ["weight-1", "Backend 2"]);
  assert.deepEqual(at("/allowedIps/2", []), ["allowedIps", "Allowed addresses, line 3,"]);
  assert.deepEqual(at("", []), ["backendUrl", "The record"], "a record that a form made lacks a backend");
  assert.deepEqual(at(""), [undefined, "The record"]);
  assert.deepEqual(at("/disbled"), [undefined, "/disbled"]);
});

test("a record that goes through the form loses nothing", () => {
  const record = {
    customerId: "acme-corp",
    backendUrl: "https://a.example",
    backends: [{ url: "https://b.example", region: "eu", weight: 3 }, { url: "vpc:ACME_NET/http://10.0.0.5" }],
    environmentName: "acme",
    disabled: true,
    allowedIps: ["192.0.2.0/24"],
    hosts: ["api.acme.example"],
    limits: { monthly: 50000, "a.b": 7 },
    secrets: ["eyJhIjoxfQ..a.b.c", "eyJhIjoyfQ..a.b.c"],
  };
  assert.deepEqual(recordOf(valuesOf(record), "acme-corp").record, record);
  for (const limits of ["monthly 50000\na.b 7", "monthly: 50000\na.b=7", "monthly = 50000\na.b :7"])
    assert.deepEqual(recordOf({ ...valuesOf(record), limits }, "acme-corp").record.limits, record.limits, limits);
  // Nor does what is no number: it is shown with its fault.
  const odd = { ...record, limits: { monthly: "many" } };
  assert.deepEqual(recordOf(valuesOf(odd), "acme-corp").record, odd);
});

test("an object is read as the gateway reads it, and numbers stay as they are written", () => {
  for (const text of ['{"a":1,"a":2}', '{"a":{"b":[{"c":1,"\\u0063":2}]}}'])
    assert.match(readObject(text).what, /twice/, text);
  for (const text of [
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"{\\"b\\":1,\\"b\\":2}"}',
    '\ufeff{"__proto__":1}',
  ])
    assert.ok(readObject(text).value, text);
  for (const text of ["", "[]", "null", "7", '"x"', "{", "{} {}", '{"a":1e400}'])
    assert.ok(readObject(text).what, text);
  const text = '{"big":12345678901234567890,"one":1.0,"deep":[1e40,-0]}';
  assert.equal(JSON.stringify(readObject(text).value), text);
});

test("instants are those of the gateway", () => {
  assert.equal(millisOf("2026-07-30T12:00:00+02:00"), Date.UTC(2026, 6, 30, 10));
  assert.equal(millisOf("2026-12-31 23:59:59Z"), Date.UTC(2026, 11, 31, 23, 59, 59));
  for (const bad of ["2026-07-30", "2026-02-30T00:00:00Z", "tomorrow", ""]) assert.equal(millisOf(bad), undefined, bad);
});

test("of a customer's two entries that one counts which counts at the gateway", () => {
  const own = '{"customerId":"a","backendUrl":"https://own.example"}';
  const api = '{"customerId":"a","backendUrl":"https://api.example","fetchedAt":"2026-01-01T00:00:00Z"}';
  const newer = api.replace("2026", "2027");
  for (const [entries, text, ofApi, beside] of [
    [{ own, refreshed: api }, own, false, api],
    [{ own }, own, false],
    [{ own: "<html>", refreshed: api }, "<html>", false, api],
    [{ own: api.replace("https", "ftp"), refreshed: api }, api.replace("https", "ftp"), false, api],
    [{ own: own.replace("}", ',"fetchedAt":null}') }, own.replace("}", ',"fetchedAt":null}'), false],
    [{ refreshed: api }, api, true],
    [{ own: api }, api, true],
    [{ own: api, refreshed: newer }, newer, true],
  ]) {
    const found = counting("a", entries, "never");
    assert.deepEqual([found.text, found.ofApi, found.beside?.text], [text, ofApi, beside], JSON.stringify(entries));
  }
  assert.equal(counting("a", {}, "never"), undefined);
});

test("metadata of an entry keeps what others wrote there", () => {
  assert.deepEqual(metadataWith(undefined, "x"), { sha256: "x" });
  assert.deepEqual(metadataWith(null, "x"), { sha256: "x" });
  assert.deepEqual(metadataWith({ sha256: "old", ticket: 7 }, "x"), { ticket: 7, sha256: "x" });
  const before = { sha256: "old", record: { subject: "s" }, ticket: 7 };
  assert.deepEqual(metadataWith(before, "x"), { ticket: 7, sha256: "x" }, "a record there is of the old value");
  assert.equal(metadataWith("mine", "x"), "mine");
  const long = { note: "ü".repeat(505) };
  assert.deepEqual(metadataWith({ ...long, sha256: "old" }, "x"), long, "without room for it the digest stays away");
});

test("keys have the form that the documents say, and each is another", () => {
  const keys = Array.from({ length: 50 }, () => mintKey("sk_live"));
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) {
    assert.match(key, /^sk_live_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}$/);
    assert.equal(key.slice(-6), checksum(key.slice(0, -7)));
    assert.ok(isKey(key, "sk_live") && !isKey(key, "sk_test"));
    assert.equal(keyEntry(key), kvName(key));
  }
  for (const { key } of demoKeys()) assert.ok(isKey(key, key.split("_").slice(0, 2).join("_")), key);
  // The documented one.
  assert.ok(isKey("sk_live_EvW40pcjRa3eE9jh3LRWvyUu_1IXnrD", "sk_live"));
});

const keyWith = (members) =>
  readKey(
    { name: kvName("abc"), text: JSON.stringify({ subject: "s", ...members }) },
    { customers: { claim: "/org/id" } },
    NOW,
  );

test("a key's entry says what the gateway would say of it now", () => {
  const entry = keyWith({ claims: { org: { id: "acme" } } });
  assert.equal(kvName("abc"), `key:${entry.digest}`);
  assert.deepEqual([entry.customer, entry.key.state, entry.record.subject], ["acme", "active", "s"]);
  assert.equal(keyWith({ expiresAt: "2026-01-01T00:00:00Z" }).key.state, "expired");
  assert.equal(keyWith({ disabled: true }).key.state, "disabled");
  const broken = keyWith({ disbled: true, claims: { org: { id: 7 } } });
  assert.deepEqual([pointers(broken), broken.key, broken.customer], [["/disbled"], null, "7"]);
});

test("the end of a rolled key is never put off, nor handed on when it has come", () => {
  const at = (milliseconds) => new Date(milliseconds).toISOString();
  const hour = 3_600_000;
  const ends = (expiresAt, grace = hour) => endAfterGrace(keyWith({ expiresAt }), NOW, grace);
  assert.equal(ends(undefined), at(NOW + hour));
  assert.equal(ends(at(NOW + 60_000)), at(NOW + 60_000));
  assert.equal(ends(at(NOW + 2 * hour)), at(NOW + hour));
  assert.equal(ends("2020-01-01 00:00:00+01:00", 0), "2020-01-01 00:00:00+01:00");
  const ahead = (members) => endThatLiesAhead(keyWith(members), NOW);
  assert.equal(ahead({}), "");
  assert.equal(ahead({ expiresAt: at(NOW) }), "");
  assert.equal(ahead({ expiresAt: at(NOW + 1), disabled: true }), at(NOW + 1));
});

test("conditions read as words", () => {
  for (const [condition, words] of [
    [undefined, "always"],
    ["office", "the condition office holds"],
    [
      { $asn: [13335, 64496], $bot_score: { "<": 30 } },
      "the network is one of 13335, 64496 and the bot score is below 30",
    ],
    [{ plan: "gold", $country: ["DE", "AT"] }, "the claim plan is “gold” and the country is one of “DE”, “AT”"],
    [
      { $any: [{ "$header:x-beta": "yes" }, { "$query:beta": "1" }] },
      "the field x-beta is “yes” or the query parameter beta is “1”",
    ],
    [
      { a: true, $any: [{ b: 1 }, { c: { ">=": 2, "<": 9 } }] },
      "the claim a is true and (the claim b is 1 or (the claim c is at least 2 and is below 9))",
    ],
    [{ $not: { $is: ["in", "out"] } }, "not (the condition in or out holds)"],
    [
      { email: { exists: true, not: { suffix: "@x.example" } } },
      "the claim email is there and not: ends with “@x.example”",
    ],
    [
      { "$query:v": { any: ["1", "2"] }, "$header:x-v": { all: { not: "1" } } },
      "the query parameter v has one value that is one of “1”, “2” and the field x-v has only values of which each not: is “1”",
    ],
  ]) {
    assert.equal(inWords(condition), words);
  }
});

// The runtime has JSON.rawJSON; Node has it from 21 on.
test("whole numbers that JavaScript would round keep their digits wherever they are shown or written", {
  skip: JSON.rawJSON === undefined,
}, () => {
  const numbers = [
    "1122334455667789001",
    "18446744073709551615",
    "-9223372036854775808",
    "9007199254740993",
    "1122334455667789000",
    "123456789012345678901234567890",
  ];
  for (const number of numbers) {
    const { value } = readObject(`{"claims":{"id":${number}}}`);
    assert.equal(JSON.stringify(value), `{"claims":{"id":${number}}}`);
    const shown = parseToShow(`{"id":${number},"share":1.0}`);
    assert.equal(JSON.stringify(shown), `{"id":${number},"share":1}`);
    for (const [test, words] of [
      [`${number}`, `is ${number}`],
      [`[1,${number}]`, `is one of 1, ${number}`],
      [`{"contains":${number}}`, `contains ${number}`],
      [`{">=":${number}}`, `is at least ${number}`],
    ]) {
      assert.equal(inWords(parseToShow(`{"id":${test}}`)), `the claim id ${words}`);
    }
  }
});

test("guesses are counted by network, for a time, and within bounds", () => {
  const throttle = createThrottle();
  for (let i = 0; i < 5; i++) {
    assert.equal(throttle.wait("2001:db8:1:2::a", 1000), 0);
    throttle.note(`2001:db8:1:2::${i}`, 1000);
  }
  assert.equal(throttle.wait("2001:db8:1:2:ffff::1", 1000), 300_000);
  assert.equal(throttle.wait("2001:db8:1:3::1", 1000), 0);
  assert.equal(throttle.wait("2001:db8:1:2::a", 301_000), 0);
  for (let i = 0; i < 3000; i++) throttle.note(`10.0.${i >> 8}.${i & 255}`, 1000);
  assert.equal(throttle.wait("2001:db8:1:2::a", 1000), 0, "the oldest makes room");
});

test("an IPv6 network is the first 64 bits, however an address is written", () => {
  const blocked = (one, other) => {
    const throttle = createThrottle();
    for (let i = 0; i < 5; i++) throttle.note(one, 0);
    return throttle.wait(other, 1) > 0;
  };
  for (const [one, other, same] of [
    ["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true],
    ["2001:db8::1:0:0:0:1", "2001:db8:0:1::2", true],
    ["2001:db8:0:1::1", "2001:DB8:0000:0001::2", true],
    ["2001:db8::1", "2001:db8::2:3", true],
    ["2001:db8::a:b:c:d", "2001:db8:0:0:1:2:3:4", true],
    ["2001:db8::", "2001:db8:0:0:ffff::", true],
    ["::1", "::2", true],
    ["::ffff:192.0.2.1", "192.0.2.1", true],
    ["::ffff:c000:201", "192.0.2.1", true],
    ["0:0:0:0:0:ffff:192.0.2.1", "::ffff:c000:201", true],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", false],
    ["2001:db8::1:0:0:0:1", "2001:db8::1", false],
    ["2001:db8::1:2:3:4:5", "2001:db8::1:2:3:4", false],
    ["2001:db8:0:1::1", "2001:db8:1::1", false],
    ["1::", "::1", false],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
    ["::ffff:192.0.2.1", "::1", false],
    ["192.0.2.1", "192.0.2.2", false],
    ["unknown", "192.0.2.1", false],
  ]) {
    assert.equal(blocked(one, other), same, `${one} and ${other}`);
    assert.equal(blocked(other, one), same, `${other} and ${one}`);
  }
});

test("spans read as people say them", () => {
  for (const [milliseconds, text] of [
    [0, "0 seconds"],
    [250, "1 second"],
    [90_000, "1 minute 30 seconds"],
    [86_400_000, "1 day"],
    [3_660_000, "1 hour 1 minute"],
  ])
    assert.equal(spoken(milliseconds), text);
});

test("settings are all there or none is used", () => {
  const env = { CONSOLE_SECRET, POINTSMAN_KV: {}, GATEWAY: {} };
  assert.ok(settingsOf(env, {}).settings);
  assert.equal(
    settingsOf({ ...env, ALLOW_HTTP: "loopback" }, { allow_http: "${ALLOW_HTTP}" }).settings.allowHttp,
    "loopback",
  );
  assert.equal(
    settingsOf({ ...env, ALLOW_HTTP: "always" }, {}).settings.allowHttp,
    "never",
    "what gateway.toml says counts",
  );
  for (const [bad, named] of [
    [{ CONSOLE_SECRET: "" }, /CONSOLE_SECRET/],
    [{ CONSOLE_SECRET: "a secret of twenty characters" }, /CONSOLE_SECRET/],
    [{ OPERATOR_SECRET: "a secret of twenty characters" }, /OPERATOR_SECRET/],
    [{ ACCESS_TEAM_DOMAIN: "team.cloudflareaccess.com" }, /ACCESS_AUD/],
    [{ ACCESS_TEAM_DOMAIN: "https://team.cloudflareaccess.com/", ACCESS_AUD: "x" }, /ACCESS_TEAM_DOMAIN/],
    [{ POINTSMAN_KV: undefined }, /POINTSMAN_KV/],
    [{ GATEWAY: undefined }, /GATEWAY/],
    [{ GATEWAY_URL: "nonsense" }, /GATEWAY_URL/],
    [{ CONFIGURATION: "{" }, /CONFIGURATION/],
  ]) {
    assert.match(settingsOf({ ...env, ...bad }, {}).fault, named);
  }
});
