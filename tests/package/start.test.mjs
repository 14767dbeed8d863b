// `npm start` in a user's repository: with the demo, with their own backend and issuer, and at each save.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { mint } from "../../demo/keys.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { openUser } from "./support/user.mjs";

const user = openUser();
after(() => user.close());

test("there is no Rust on the user's PATH", () => {
  for (const program of ["cargo", "rustc"]) assert.notEqual(user.run(program, ["--version"]).status, 0);
});

test("keys, with the demo: a request, a save, a save with a fault, and a customer that is changed", async (t) => {
  const project = user.project("keys");
  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  const everybody = "a caller reaches the main backend";
  const customer = "acme-corp has a backend of its own";
  const first = await gateway.paste(everybody);
  assert.equal(first.status, 200);
  assert.equal(first.body.backend, "main");
  assert.equal(first.body.headers.authorization, undefined);
  assert.equal((await gateway.paste(customer)).body.host, "acme-corp.example.com");

  project.edit("gateway.toml", 'path = "/{+path}"', 'path = "/v2/{+path}"');
  await gateway.until("the route's new path", async () => (await gateway.paste(everybody)).status === 404);
  assert.equal((await gateway.paste(everybody, "/v2/hello")).status, 200);

  project.edit("gateway.toml", "rules = [", "rulez = [");
  await gateway.says(
    /not taken over: gateway\.toml has faults; the gateway goes on as before\n(?:.*\n)?.*gateway\.toml:\d+: error: .*rulez/,
  );
  assert.equal((await gateway.paste(everybody, "/v2/hello")).status, 200);
  project.edit("gateway.toml", "rulez = [", "rules = [");

  project.write("data/customers.json", [{ customerId: "acme-corp", backendUrl: "https://moved.example.com" }]);
  await gateway.until(
    "the customer's new backend",
    async () => (await gateway.paste(customer, "/v2/hello")).body.host === "moved.example.com",
  );
  project.write("data/customers.json", []);
  await gateway.until(
    "the customer is gone",
    async () => (await gateway.paste(customer, "/v2/hello")).body.backend === "main",
  );
  assert.equal(await gateway.stop(), 0);

  // What was there is there again; a key that was printed works.
  const again = await project.start("--demo");
  t.after(() => again.stop());
  assert.deepEqual(again.offered()[everybody].fields, gateway.offered()[everybody].fields);
  assert.equal((await again.paste(everybody, "/v2/hello")).status, 200);
});

test("a main module that throws leaves the gateway before it running", async (t) => {
  const project = user.project("broken-main");
  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  project.write("worker.js", `${project.read("worker.js")}\nthrow new Error("of the user's own");\n`);
  await gateway.says(/not taken over: workerd does not take it/);
  assert.equal((await gateway.paste("a caller reaches the main backend")).status, 200);
});

test("wrangler.jsonc is read as wrangler.toml is, at each save", async (t) => {
  const project = user.project("jsonc", { install: "stage" }, "--jsonc");
  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  assert.equal((await gateway.paste("a caller reaches the main backend")).status, 200);
  project.edit("gateway.toml", 'url = "${BACKEND_URL}"', 'url = "${OTHER_URL}"');
  await gateway.says(/wrangler\.jsonc|live in/);
  project.edit("wrangler.jsonc", '"BACKEND_URL": "https://backend.example', '"OTHER_URL": "https://other.example');
  await gateway.until("the variable", async () => {
    const { body } = await gateway.paste("a caller reaches the main backend");
    return body.host === "other.example.com";
  });
});

test("recipe 13 counts by plan, with both files as the recipe prints them", async (t) => {
  const recipe = readFileSync(inRoot("docs", "recipes.md"), "utf8")
    .split(/^## /m)
    .find((part) => part.startsWith("13. "));
  const [toml, counters] = [...recipe.matchAll(/^```toml\n(.*?)^```/gms)].map(([, text]) => text);
  const project = user.project("tiers", { install: "stage" });
  project.write("gateway.toml", toml);
  project.edit("wrangler.toml", "BACKEND_URL", "SHARED_BACKEND_URL");
  project.write("wrangler.toml", `${project.read("wrangler.toml")}\n${counters}`);
  project.write(
    "cases/routing.toml",
    '[[cases]]\nname = "all"\nrequest = { path = "/", claims = {} }\nexpect = { rule = "all" }\n',
  );
  const keys = { gold: mint("sk_live"), free: mint("sk_live"), none: mint("sk_live") };
  const sha256 = (key) => createHash("sha256").update(key).digest("hex");
  project.write(
    "data/keys.json",
    Object.entries(keys).map(([plan, key]) => ({ sha256: sha256(key), subject: plan, claims: { plan } })),
  );
  const checked = project.pointsman(["check", "--data", "data"]);
  assert.equal(checked.status, 0, checked.all);

  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  /** How many of so many requests pass. */
  const passed = async (key, count) => {
    let good = 0;
    for (let sent = 0; sent < count; sent++) {
      const response = await fetch(`${gateway.url}/hello`, { headers: key ? { authorization: `Bearer ${key}` } : {} });
      await response.arrayBuffer();
      if (response.status === 200) good++;
      else assert.equal(response.status, 429);
    }
    return good;
  };
  // Windows begin at the full minute: some more may pass where one ends meanwhile.
  const none = await passed(keys.none, 250);
  assert.ok(none === 100 || none === 200, `${none} passed without a plan`);
  assert.equal(await passed(keys.gold, 250), 250);
  assert.equal(await passed(undefined, 1), 1);

  project.edit("gateway.toml", "quota = 10000", "quota = 3");
  await gateway.says(/live in/);
  assert.equal(await passed(keys.free, 8), 3);
  assert.doesNotMatch(gateway.text(), /limit_unavailable|limit_failed/);
});

test("a module that the main module imports since a save is watched too, also before it is there", async (t) => {
  const project = user.project("later-import");
  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  const lives = () => gateway.text().split("live in").length - 1;
  project.write("worker.js", `import "./later.js";\n${project.read("worker.js")}`);
  await gateway.says(/not taken over: worker\.js cannot be bundled/);
  project.write("later.js", "export {};\n");
  await gateway.until("the import that is there now", () => lives() === 1);
  project.write("later.js", 'throw new Error("of the import");\n');
  await gateway.says(/not taken over: workerd does not take it/);
  project.write("later.js", "export default 1;\n");
  await gateway.until("the import that is good again", () => lives() === 2);
  // The variables of this machine may come later as well.
  project.write(".dev.vars", 'BACKEND_URL="https://elsewhere.example.com"\n');
  await gateway.until("the variables", () => lives() === 3);
});

test("tokens, with the demo, which signs them", async (t) => {
  const project = user.project("tokens", "--callers", "tokens", "--issuer", "https://id.acme.com/");
  const gateway = await project.start("--demo");
  t.after(() => gateway.stop());
  const { status, body } = await gateway.paste("a caller reaches the main backend");
  assert.equal(status, 200);
  assert.equal(body.headers["x-authenticated-by"], "main");
});

/** A server on loopback, and its URL. */
async function serve(t, handle) {
  const server = createServer((request, response) => {
    request.resume();
    handle(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => new Promise((resolve) => server.close(resolve) && server.closeAllConnections());
  t.after(stop);
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

test("both, with a backend and an issuer of one's own: what does not answer is said in words", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256", use: "sig" };
  const backend = await serve(t, ({ url, headers }, response) => response.end(JSON.stringify({ url, headers })));
  let issuerUrl;
  const issuer = await serve(t, ({ url }, response) => {
    const documents = {
      "/.well-known/openid-configuration": { issuer: issuerUrl, jwks_uri: `${issuerUrl}keys` },
      "/keys": { keys: [key] },
    };
    response.writeHead(documents[url] ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(documents[url] ?? {}));
  });
  issuerUrl = `${issuer.url}/`;

  const project = user.project("both", "--callers", "both", "--audience", "acme-api");
  project.write(".dev.vars", `BACKEND_URL="${backend.url}"\nISSUER="${issuerUrl}"\nALLOW_HTTP="loopback"\n`);
  const gateway = await project.start();
  t.after(() => gateway.stop());
  const byKey = await gateway.paste("a caller reaches the main backend");
  assert.equal(byKey.status, 200);
  assert.equal(byKey.body.headers["x-authenticated-by"], "api_key");

  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: issuerUrl, aud: "acme-api", sub: "user-7", iat: now, exp: now + 600 };
  const input = `${part({ alg: "ES256", typ: "JWT", kid: "one" })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
  const token = `${input}.${signature.toString("base64url")}`;
  const response = await fetch(`${gateway.url}/orders/7`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200);
  const { url, headers } = await response.json();
  assert.equal(url, "/orders/7");
  assert.equal(headers["x-subject"], "user-7");
  assert.equal(headers["x-authenticated-by"], "main");

  await backend.stop();
  assert.equal((await gateway.paste("a caller reaches the main backend")).status, 502);
  await gateway.says(/↳ nothing answers at http:\/\/127\.0\.0\.1:\d+: is backend main running\?/);
  await gateway.stop();

  await issuer.stop();
  project.write(".dev.vars", `BACKEND_URL="${backend.url}"\nISSUER="${issuerUrl}"\nALLOW_HTTP="loopback"\n`);
  project.edit("gateway.toml", 'url = "${BACKEND_URL}"', 'url = "${OTHER_URL}"');
  const lacking = await project.start();
  t.after(() => lacking.stop());
  const text = lacking.text();
  assert.match(text, /Missing\n/);
  assert.match(text, /\$\{OTHER_URL\} is set nowhere: put OTHER_URL=… into \.dev\.vars/);
  assert.match(
    text,
    /issuer main, http:\/\/127\.0\.0\.1:\d+\/\.well-known\/openid-configuration: nothing listens there/,
  );
  const answer = await fetch(`${lacking.url}/hello`);
  assert.equal(answer.status, 500);
  await lacking.says(/↳ set OTHER_URL in \.dev\.vars for this machine/);
});

test("a port that is taken, a project that is none, and a wrong option end with words and an exit code", async (t) => {
  const project = user.project("taken");
  const other = await serve(t, (_, response) => response.end());
  const taken = project.pointsman(["start", "--port", new URL(other.url).port]);
  assert.equal(taken.status, 1);
  assert.match(taken.err, /port \d+ is taken/);
  assert.equal(project.pointsman(["start", "--dmeo"]).status, 2);
  const nowhere = project.pointsman(["start"], { cwd: user.folder });
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /there is no wrangler\.toml/);
});
