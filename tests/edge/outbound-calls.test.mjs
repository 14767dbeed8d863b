// Every outbound call goes through `callOut` of src/edge/outbound.js: another one would read through the zone's cache,
// and give one caller's answer to another. Held by a look at the source, since no test can make every call.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { transformSync } from "esbuild";

const root = new URL("../../", import.meta.url);

const OUTBOUND = "src/edge/outbound.js";

/**
 * All that can leave a Worker, by the name that it has in the source: as an identifier, a property or a text, but not as
 * a part of a field's name (`sec-fetch-site`). A name that is put together at run time is beyond this.
 */
const WAYS_OUT =
  /\b(fetch|XMLHttpRequest|EventSource|WebSocket|sendBeacon|WebTransport|cloudflare:sockets|cloudflare:email|importScripts)\b(?!-)/g;

/** In Rust: the platform's fetch and sockets, by the `worker` crate, or by a binding of our own. */
const WAYS_OUT_IN_RUST =
  /\b(Fetch|Fetcher|fetch_with_request|fetch_with_str|Socket|WebSocket|web_sys)\b|js_(?:name|namespace)\s*=\s*"?fetch\b/g;

/** A field and its value, as tests of the core write them. */
const VALUES_OF_FIELDS = /\("[\w-]+", "[^"]*"\)/g;

/**
 * Where such a name may stand, how often, and why it is no call out. The calls of Durable Objects (`take` in limits.js)
 * have none of these names: they are RPC, with no URL, no HTTP and no cache.
 */
const EXCEPTIONS = {
  // The function of wasm that handles a request, and the handler of this name: taken, handed on, and its name.
  "src/edge/worker.js": { fetch: 3 },
  // The handler of this name, and that of the application.
  "console/index.js": { fetch: 2 },
};

/** How often which way out is named. Comments do not count, and escapes are written out before. */
function waysOut(source) {
  const { code } = transformSync(source, {
    loader: "js",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    charset: "utf8",
  });
  const counts = {};
  for (const [, name] of code.matchAll(WAYS_OUT)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const read = (file) => readFileSync(new URL(file, root), "utf8");
const files = (pattern) => globSync(pattern, { cwd: root }).sort();

test("no file but one calls out", () => {
  const scanned = [...files("src/**/*.js"), ...files("console/**/*.js")];
  assert.ok(
    scanned.includes(OUTBOUND) && scanned.includes("console/gateway.js"),
    "the sources stand where they are looked for",
  );
  for (const file of scanned.filter((file) => file !== OUTBOUND)) {
    assert.deepEqual(waysOut(read(file)), EXCEPTIONS[file] ?? {}, `${file}: call out by callOut of ${OUTBOUND}`);
  }
  assert.deepEqual(waysOut(read(OUTBOUND)), { fetch: 1 });
});

test("no Rust calls out by itself", () => {
  for (const file of [
    ...files("src/**/*.rs"),
    ...files("crates/pointsman-{core,checked,loader,config,js}/src/**/*.rs"),
  ]) {
    // The texts of log lines may well name what others call.
    const code = read(file)
      .replaceAll(/\/\/.*$/gm, "")
      .replaceAll(VALUES_OF_FIELDS, "");
    assert.deepEqual(
      [...code.matchAll(WAYS_OUT_IN_RUST)].map(([found]) => found),
      [],
      file,
    );
  }
});

test("a call that is planted is found, however it is written", () => {
  for (const planted of [
    "fetch(url)",
    "globalThis.fetch(url)",
    "self.fetch(url)",
    "env.BACKEND.fetch(url)",
    "env?.BACKEND?.fetch?.(url)",
    'globalThis["fetch"](url)',
    'globalThis["fe" + "tch"](url)',
    "globalThis[`fetch`](url)",
    "const { fetch: call } = globalThis",
    "const call = fetch",
    'Reflect.get(globalThis, "fetch")',
    "f\\u0065tch(url)",
    'globalThis["\\x66etch"](url)',
    "new WebSocket(url)",
    'import { connect } from "cloudflare:sockets"',
    "/* no comment */ fetch /* here */ (url)",
  ]) {
    assert.notDeepEqual(waysOut(planted), {}, planted);
  }
  assert.deepEqual(waysOut("// fetch(url)\n/* fetch */ prefetch(url); refetch.fetched(); keys.fetchedAt"), {});
});
