// A Worker's fetch reads through the cache of its zone, whose key is the URL alone: whatever backends say of caching, and
// whatever the zone's rules are, two callers never share a byte. All other tests of this folder run behind the same model
// of that cache (support/zone-cache.mjs) and fail where a call asks it for anything.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { path } from "./support/files.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";
import { cutToRequest, ZoneCache } from "./support/zone-cache.mjs";

const SHARED = "shared.backends.example.com";
const SANDBOX = "sandbox.backends.example.com";

const TOML = `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]

[identity]
subject = "x-subject"

[backends.shared]
url = "https://${SHARED}"

[backends.planned]
origins = [{ url = "https://${SHARED}" }, { url = "https://${SANDBOX}" }]
`;
const routes = { plain: "", edited: 'cors = "anything-goes"\nserver_timing = true', planned: "" };
const CONFIGURATION =
  TOML +
  Object.entries(routes)
    .map(
      ([name, more]) => `
[[routes]]
path = "/${name}/{+path}"
methods = ["GET", "HEAD", "POST"]
auth = ["api_key", "main"]
rewrite = "/{+path}"
${more}
rules = [{ name = "all", to = "${name === "planned" ? "planned" : "shared"}" }]
`,
    )
    .join("");

const CALLERS = { A: bearer(demoKey("acme")), B: bearer(demoKey("sandbox")), C: bearer(token("customer-acme")) };

/** Numbers below `below` from a seed, the same on every run. */
function createRandom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ENDINGS = ["", ".csv", ".pdf", ".js", ".JPG", ".zip", ".html", ".json", "/"];
const CACHING = [
  [],
  [["cache-control", "public, max-age=3600"]],
  [["cache-control", "s-maxage=600"]],
  [["cache-control", "max-age=60"]],
  [["cache-control", "must-revalidate"]],
  [["cache-control", "private"]],
  [["cache-control", "no-store"]],
  [["cdn-cache-control", "max-age=600"]],
  [
    ["cloudflare-cdn-cache-control", "public, max-age=600"],
    ["cache-control", "private"],
  ],
  [["expires", "Fri, 01 Jan 2100 00:00:00 GMT"]],
  [
    ["set-cookie", "a=b"],
    ["cache-control", "public, max-age=60"],
  ],
  [
    ["vary", "authorization, x-subject"],
    ["cache-control", "public, max-age=60"],
  ],
  [["etag", '"1"']],
];
const STATUSES = [200, 200, 200, 200, 404, 410, 301];

/** Who each subject is, as the backend learns it: found out by the first answers. */
const letterOf = (subject) => (subject === undefined ? "?" : subjects[subject]);
let subjects;

async function learnSubjects(gateway) {
  subjects = {};
  for (const [letter, credential] of Object.entries(CALLERS)) {
    let subject;
    gateway.world.replace(SHARED, (request, response) => {
      subject = request.headers["x-subject"];
      response.end();
    });
    assert.equal((await gateway.send({ target: "/plain/who", method: "POST", headers: [credential] })).status, 200);
    subjects[subject] = letter;
  }
  assert.equal(Object.keys(subjects).length, 3, "three identities");
}

/** Sends random requests of all callers and counts the answers that hold what is another's. */
async function countShared(gateway, seed, requests) {
  const random = createRandom(seed);
  const pick = (from) => from[random(from.length)];
  const behaviours = new Map();
  const backend = (request, response) => {
    const { fields, status } = behaviours.get(request.url.split("?")[0]) ?? { fields: [], status: 200 };
    const letter = letterOf(request.headers["x-subject"]);
    const body = Buffer.from(letter.repeat(64));
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const part = range && status === 200 ? body.subarray(Number(range[1]), Number(range[2]) + 1) : body;
    response.writeHead(part === body ? status : 206, [["x-for", letter], ...fields].flat());
    response.end(part);
  };
  for (const host of [SHARED, SANDBOX]) gateway.world.replace(host, backend);
  let shared = 0;
  for (let number = 0; number < requests; number++) {
    // Few paths, so that callers meet on them.
    const file = `/f${random(3)}${pick(ENDINGS)}`;
    if (!behaviours.has(file)) behaviours.set(file, { fields: pick(CACHING), status: pick(STATUSES) });
    const target = `/${pick(Object.keys(routes))}${file}${pick(["", "", "?q=1"])}`;
    const [letter, credential] = pick(Object.entries(CALLERS));
    const method = pick(["GET", "GET", "GET", "HEAD", "POST"]);
    const range = random(4) === 0 ? [["Range", "bytes=3-9"]] : [];
    const answer = await gateway.send({ target, method, headers: [credential, ...range] });
    const bytes = new Set(answer.text());
    bytes.delete(letter);
    if (answer.get("x-for") !== letter || bytes.size > 0) shared += 1;
  }
  return shared;
}

const NOW = Date.parse("2026-07-30T12:00:00Z");
const opened = [];
after(async () => {
  for (const end of opened.reverse()) await end();
});

async function open(options) {
  const gateway = await openGateway({ toml: CONFIGURATION, ...options });
  opened.push(() => gateway.stop());
  await learnSubjects(gateway);
  return gateway;
}

for (const everything of [false, true]) {
  test(`two identities never share bytes${everything ? ", also where the zone caches everything" : ""}`, async () => {
    const gateway = await open();
    gateway.zone.cache.cacheEverything = everything;
    assert.equal(await countShared(gateway, everything ? 7 : 11, 300), 0);
    assert.deepEqual(gateway.zone.consulted, []);
  });
}

test("without the word on caching they would: the model is one in which it shows", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-without-"));
  opened.push(() => rmSync(folder, { recursive: true }));
  cpSync(process.env.POINTSMAN_BUILD ?? path("build"), folder, { recursive: true });
  const main = join(folder, "index.js");
  const without = readFileSync(main, "utf8").replaceAll("cacheTtl:-1", "anything:1");
  writeFileSync(main, without);
  const gateway = await open({ folder, consults: true });
  assert.ok((await countShared(gateway, 11, 150)) > 0, "by the paths' endings alone");
  gateway.zone.cache.cacheEverything = true;
  assert.ok((await countShared(gateway, 12, 150)) > 0);
  assert.ok(
    gateway.zone.consulted.some((url) => url.includes("/.well-known/jwks.json")),
    "key sets too",
  );
});

test("the model keeps what Cloudflare's documentation says", () => {
  const kept = (url, fields, { everything = false, authorized = false, status = 200 } = {}) => {
    const cache = new ZoneCache();
    cache.cacheEverything = everything;
    if (!cache.serves({ method: "GET", url })) return false;
    cache.keep(url, { status, fields, body: Buffer.from("0123456789") }, authorized, NOW);
    return cache.find(url, NOW + 1000) !== undefined;
  };
  const [file, page] = ["https://a.example/x/2026.csv?y=1", "https://a.example/x/y?file=a.csv"];
  assert.equal(kept(file, []), true);
  assert.equal(kept(page, []), false);
  assert.equal(kept(page, [], { everything: true }), true);
  for (const value of ["private", "no-store", "no-cache", "max-age=0", "Private"])
    assert.equal(kept(file, [["Cache-Control", value]]), false, value);
  assert.equal(
    kept(file, [
      ["Cache-Control", "private"],
      ["CDN-Cache-Control", "max-age=9"],
    ]),
    true,
  );
  assert.equal(kept(file, [["Set-Cookie", "a=b"]]), false);
  assert.equal(kept(file, [["Expires", "0"]]), false);
  assert.equal(kept(file, [], { authorized: true }), false);
  assert.equal(kept(file, [["Cache-Control", "public, max-age=9"]], { authorized: true }), true);
  assert.equal(kept(file, [], { status: 500 }), false);
  const cache = new ZoneCache();
  const url = file;
  assert.equal(cache.serves({ method: "HEAD", url }), true);
  assert.equal(cache.serves({ method: "POST", url }), false);
  for (const cf of [{ cacheTtl: -1 }, { cacheLevel: "bypass" }])
    assert.equal(cache.serves({ method: "GET", url, cf }), false);
  cache.keep(url, { status: 200, fields: [], body: Buffer.from("0123456789") }, false, NOW);
  assert.equal(cache.find(url, NOW + 119 * 60_000)?.status, 200);
  assert.equal(cache.find(url, NOW + 121 * 60_000), undefined);
  const cut = cutToRequest(cache.find(url, NOW), "GET", "bytes=2-4");
  assert.deepEqual([cut.status, String(cut.body)], [206, "234"]);
});
