// The console reads records as the gateway does: the same are good, and faults are at the same place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum, keyOf, mint, mintFrom } from "../../console/api-key.js";
import { counting } from "../../console/customer-entries.js";
import { span } from "../../console/pages/bounds.js";
import { isRange } from "../../console/record/address.js";
import { faultsOfCustomer } from "../../console/record/customer.js";
import { instantOf } from "../../console/record/instant.js";
import { parseToShow, readObject } from "../../console/record/json.js";
import { claimAt, endAfterGrace, faultsOfKey } from "../../console/record/key.js";
import { faultOfUrl } from "../../console/record/url.js";
import { settingsOf } from "../../console/settings.js";
import { metadataWith } from "../../console/store.js";
import { createThrottle } from "../../console/throttle.js";
import { inWords } from "../../console/words.js";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { demoEntries, demoKeys } from "../../demo/seed.mjs";
import { json } from "../workerd/support/files.mjs";

const faultsIn = (text, check) => {
  const { value, what } = readObject(text);
  return value ? check(value).map(({ at }) => at) : [`JSON: ${what}`];
};

test("customers: what src/customer.rs refuses is refused here, at the same place", () => {
  const of = (text) => faultsIn(text, (record) => faultsOfCustomer(record, "acme-corp"));
  for (const [text, at] of [
    ['{"customerId":"acme-corp"}', "/backendUrl"],
    ['{"customerId":"acme-corp","backendUrl":"http://x.example"}', "/backendUrl"],
    ['{"customerId":"acme-corp","backendUrl":7}', "/backendUrl"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","backendURL":"https://y.example"}', "/backendURL"],
    ['{"customerId":"wayne-ent","backendUrl":"https://x.example"}', "/customerId"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","disabled":"yes"}', "/disabled"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","allowedIps":[]}', "/allowedIps"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","allowedIps":["10.0.0.1/8"]}', "/allowedIps/0"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","fetchedAt":"yesterday"}', "/fetchedAt"],
    ['{"customerId":"acme-corp","backendUrl":"https://x.example","environmentName":1}', "/environmentName"],
    ['{"customerId":"acme-corp","backends":[{"url":"https://x.example","wieght":1}]}', "/backends/0/wieght"],
    ['{"customerId":"acme-corp","backends":[{"url":"https://x.example","weight":1.0}]}', "/backends/0/weight"],
    ['{"customerId":"acme-corp","backends":[{"url":"https://x.example","weight":-1}]}', "/backends/0/weight"],
    ['{"customerId":"acme-corp","backends":[{"region":"eu"}]}', "/backends/0/url"],
    [
      JSON.stringify({
        customerId: "acme-corp",
        backends: Array.from({ length: 9 }, (_, i) => ({ url: `https://b${i}.example` })),
      }),
      "/backends",
    ],
  ]) {
    assert.deepEqual(of(text), [at], text);
  }
  for (const text of [
    '{"customerId":"acme-corp","environmentName":"acme","backendUrl":"https://acme.tenants.example.com"}',
    '{"customerId":"acme-corp","backendUrl":null,"environmentName":null,"allowedIps":null,"backends":[{"url":"https://x.example","weight":null}]}',
    '{"customerId":"acme-corp","backendUrl":"https://x.example","fetchedAt":"2026-07-30T12:00:00.000Z","generation":3,"etag":"a","gone":true,"scheduled":true}',
    JSON.stringify({
      customerId: "acme-corp",
      backendUrl: "https://B0.example/",
      backends: Array.from({ length: 8 }, (_, i) => ({ url: `https://b${i}.example` })),
    }),
  ]) {
    assert.deepEqual(of(text), [], text);
  }
  for (const id of ["", "a\nb", "x".repeat(257), "ü".repeat(129), "\u0085"])
    assert.deepEqual(
      faultsOfCustomer({ customerId: id, backendUrl: "https://x.example" }, id).map(({ at }) => at),
      ["/customerId"],
    );
});

test("keys: what src/authenticate/api_key.rs refuses is refused here", () => {
  for (const [text, at] of [
    ['{"claims":{}}', "/subject"],
    ['{"subject":""}', "/subject"],
    ['{"subject":"s","expiresAt":"tomorrow"}', "/expiresAt"],
    ['{"subject":"s","createdAt":5}', "/createdAt"],
    ['{"subject":"s","claims":[]}', "/claims"],
    ['{"subject":"s","expires":"2027-01-01T00:00:00Z"}', "/expires"],
    ['{"subject":"s","methods":["get"]}', "/methods/0"],
    ['{"subject":"s","methods":[]}', "/methods"],
    ['{"subject":"s","disabled":1}', "/disabled"],
  ]) {
    assert.deepEqual(faultsIn(text, faultsOfKey), [at], text);
  }
  for (const { record } of demoKeys()) assert.deepEqual(faultsOfKey(record), []);
});

test("what counts as not there is the same here and there: tests/records.rs tries this table too", () => {
  for (const { kind, record, fault } of json("fixtures/records.json")) {
    const check = kind === "key" ? faultsOfKey : (value) => faultsOfCustomer(value, "acme-corp");
    assert.deepEqual(faultsIn(record, check), fault === null ? [] : [fault], record);
  }
});

test("all of the demo's customers are good", () => {
  for (const [name, text] of demoEntries().filter(([name]) => name.startsWith("customer:"))) {
    assert.deepEqual(
      faultsIn(text, (record) => faultsOfCustomer(record, name.slice("customer:".length))),
      [],
    );
  }
});

test("a member that stands twice is a fault at any depth, and numbers stay as they are written", () => {
  for (const text of ['{"a":1,"a":2}', '{"a":{"b":[{"c":1,"\\u0063":2}]}}'])
    assert.match(readObject(text).what, /twice/, text);
  for (const text of ['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}', '{"a":"{\\"b\\":1,\\"b\\":2}"}'])
    assert.ok(readObject(text).value, text);
  for (const text of ["", "[]", "null", "7", '"x"', "{", "{} {}"]) assert.ok(readObject(text).what, text);
  const text = '{"big":12345678901234567890,"one":1.0,"deep":[1e400,-0]}';
  assert.equal(JSON.stringify(readObject(text).value), text);
});

test("backend URLs are judged as src/customer/backend.rs judges them", () => {
  for (const good of [
    "https://Acme.Tenants.Example.com",
    "https://h.example:8443/base/v1/",
    "https://[2001:DB8::1]:444/",
    "https://192.0.2.1/a%20b",
    "https://h/a%2Fb",
  ])
    assert.equal(faultOfUrl(good), undefined, good);
  for (const [text, word] of [
    ["", "begin"],
    ["ftp://h", "begin"],
    ["HTTPS://h", "begin"],
    ["//h", "begin"],
    [" https://h", "begin"],
    ["http://h.example", "allow_http"],
    ["https://", "host"],
    ["https:///x", "host"],
    ["https://user@h", "user name"],
    ["https://h\\@evil.example", "user name"],
    ["https://h\\evil", "host"],
    ["https://a..b", "host"],
    ["https://a.b.", "host"],
    ["https://-a.b", "host"],
    ["https://a b", "host"],
    ["https://h\t", "host"],
    ["https://h\n.example", "host"],
    ["https://bücher.example", "host"],
    ["https://h%2e", "host"],
    ["https://127.1", "host"],
    ["https://0x7f000001", "host"],
    ["https://0177.0.0.1", "host"],
    ["https://2130706433", "host"],
    ["https://[", "host"],
    ["https://[v1.x]", "host"],
    ["https://h:0", "port"],
    ["https://h:65536", "port"],
    ["https://h:", "port"],
    ["https://h:08", "port"],
    ["https://h:+8", "port"],
    ["https://h/..", "path"],
    ["https://h/a/%2e%2e/b", "path"],
    ["https://h/a b", "path"],
    ["https://h/a\r\nb", "path"],
    ["https://h/{x}", "path"],
    ["https://h/..;x", "path"],
    ["https://h/%", "path"],
    ["https://h/?q", "query"],
    ["https://h#f", "query"],
  ]) {
    assert.match(faultOfUrl(text) ?? "good", new RegExp(word), JSON.stringify(text));
  }
  assert.ok(faultOfUrl("https://[::1"), "a bracket that does not close");
  for (const host of ["localhost", "127.0.0.1:9000", "[::1]:9000", "acme.localhost"]) {
    assert.equal(faultOfUrl(`http://${host}`, "loopback"), undefined, host);
    assert.ok(faultOfUrl(`http://${host}`), host);
  }
  for (const host of ["h.example", "localhost.example.com", "10.0.0.1"]) {
    assert.ok(faultOfUrl(`http://${host}`, "loopback"), host);
    assert.equal(faultOfUrl(`http://${host}`, "always"), undefined, host);
  }
});

test("addresses, ranges and instants", () => {
  for (const good of [
    "192.0.2.0/24",
    "192.0.2.7",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::/0",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:192.0.2.1",
  ])
    assert.ok(isRange(good), good);
  for (const bad of [
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.1/8",
    "10.0.0/8",
    "::/129",
    "::/+1",
    "a",
    "010.0.0.1",
    "10.0.0.0/8 ",
    "1:2:3:4:5:6:7",
    "1::2::3",
    "1:2:3:4:5:6:7:8::",
    "2001:db8::1/32",
  ])
    assert.ok(!isRange(bad), bad);
  assert.equal(instantOf("2026-07-30T12:00:00+02:00"), Date.UTC(2026, 6, 30, 10));
  for (const bad of [
    "2026-07-30",
    "2026-07-30T12:00:00",
    "1969-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "",
    "tomorrow",
  ])
    assert.equal(instantOf(bad), undefined, bad);
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
    const found = counting("a", entries);
    assert.deepEqual([found.text, found.ofApi, found.beside?.text], [text, ofApi, beside], JSON.stringify(entries));
  }
  assert.equal(counting("a", {}), undefined);
});

test("metadata of an entry keeps what others wrote there", () => {
  assert.deepEqual(metadataWith(undefined, "x"), { sha256: "x" });
  assert.deepEqual(metadataWith(null, "x"), { sha256: "x" });
  assert.deepEqual(metadataWith({ sha256: "old", ticket: 7 }, "x"), { ticket: 7, sha256: "x" });
  assert.equal(metadataWith("mine", "x"), "mine");
  const long = { note: "ü".repeat(505) };
  assert.deepEqual(metadataWith({ ...long, sha256: "old" }, "x"), long, "without room for it the digest stays away");
});

test("keys are minted as the Rust code mints them", () => {
  // The same bytes and the same key stand in src/authenticate/api_key.rs.
  assert.equal(
    mintFrom(
      "sk_live",
      Uint8Array.from({ length: 48 }, (_, i) => (i * 5) % 256),
    ),
    "sk_live_05AFKPUZejoty38DINSXchmr_2Jvp40",
  );
  assert.equal(mintFrom("sk_live", new Uint8Array(48).fill(255)), undefined);
  for (const { key } of demoKeys()) {
    const [, prefix, middle] = /^(.*)_([^_]+)_[^_]+$/.exec(key);
    assert.equal(keyOf(prefix, middle), key);
  }
  // The documented one.
  assert.equal(checksum("sk_live_EvW40pcjRa3eE9jh3LRWvyUu"), "1IXnrD");
  assert.match(mint("sk_test"), /^sk_test_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}$/);
});

test("the end of a rolled key is never put off", () => {
  const now = Date.UTC(2026, 0, 1);
  const at = (milliseconds) => new Date(milliseconds).toISOString();
  assert.equal(endAfterGrace({}, now, 3_600_000), at(now + 3_600_000));
  assert.equal(endAfterGrace({ expiresAt: at(now + 60_000) }, now, 3_600_000), at(now + 60_000));
  assert.equal(endAfterGrace({ expiresAt: at(now + 7_200_000) }, now, 3_600_000), at(now + 3_600_000));
  assert.equal(endAfterGrace({ expiresAt: "2020-01-01T00:00:00+01:00" }, now, 0), "2020-01-01T00:00:00+01:00");
});

test("claims are found by name and by pointer", () => {
  const claims = { "a/b": 1, org: { "id~x": ["acme"] } };
  assert.equal(claimAt(claims, "a/b"), 1);
  assert.equal(claimAt(claims, "/org/id~0x/0"), "acme");
  for (const path of ["org.id", "/org/none/x", "constructor", "/org/id~0x/length/x"])
    assert.equal(claimAt(claims, path), undefined, path);
});

test("conditions read as words", () => {
  for (const [condition, words] of [
    [undefined, "always"],
    ["office", "the condition office holds"],
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

test("spans read as people write them", () => {
  for (const [milliseconds, text] of [
    [0, "0 s"],
    [250, "250 ms"],
    [90_000, "1 m 30 s"],
    [86_400_000, "1 d"],
    [3_660_000, "1 h 1 m"],
  ])
    assert.equal(span(milliseconds), text);
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
