// The id of a KV namespace is written into wrangler's file, and nothing else of the file changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "smol-toml";
import { wranglerFile } from "../../packages/create-pointsman/lib/template-wrangler.mjs";
import { isMissing, withNamespace } from "../../packages/pointsman/lib/wrangler-file.mjs";

const options = { name: "acme", callers: "keys", customers: "api", issuer: undefined, audience: "acme" };
const ID = "0123456789abcdef0123456789abcdef";
const ZEROS = "0".repeat(32);

const readJson = (text) => JSON.parse(text.replace(/^\s*\/\/.*$/gm, ""));

for (const jsonc of [false, true])
  for (const environment of [undefined, "staging"])
    test(`${jsonc ? "JSON with comments" : "TOML"}, ${environment ?? "the top level"}`, () => {
      const { name, text } = wranglerFile({ ...options, jsonc });
      const changed = withNamespace(name, text, { environment, binding: "POINTSMAN_KV", id: ID });
      const read = jsonc ? readJson(changed) : parse(changed);
      const own = environment === undefined ? read : read.env[environment];
      const other = environment === undefined ? read.env.staging : read;
      assert.equal(own.kv_namespaces[0].id, ID);
      assert.equal(other.kv_namespaces[0].id, ZEROS);
      // All that differs is the id.
      assert.equal(changed.replace(ID, ZEROS), text);
    });

test("an id is added where there is none, beside other namespaces", () => {
  const toml =
    '[[kv_namespaces]]\nbinding = "OTHER"\nid = "1"\n\n[[kv_namespaces]] # customers\nbinding = "POINTSMAN_KV"\n\n[vars]\nid = "2"\n';
  const changed = withNamespace("wrangler.toml", toml, { environment: undefined, binding: "POINTSMAN_KV", id: ID });
  assert.deepEqual(JSON.parse(JSON.stringify(parse(changed).kv_namespaces)), [
    { binding: "OTHER", id: "1" },
    { binding: "POINTSMAN_KV", id: ID },
  ]);
  assert.equal(parse(changed).vars.id, "2");
  const json =
    '{ "kv_namespaces": [{ "binding": "OTHER", "id": "1" }, { "binding": "POINTSMAN_KV" /* } */ }], "vars": { "x": "{" } }';
  const inJson = withNamespace("wrangler.jsonc", json, { environment: undefined, binding: "POINTSMAN_KV", id: ID });
  assert.deepEqual(JSON.parse(inJson.replace(/\/\*.*?\*\//, "")).kv_namespaces[1], { binding: "POINTSMAN_KV", id: ID });
});

test("what stands in a comment is no binding, and its id stays", () => {
  const object = (id) => `{
      // "binding": "POINTSMAN_KV", "id": "of a comment"
      "binding": "POINTSMAN_KV", /* "id": "of another" */ "id": "${id}" // https://example.com
    }`;
  const file = (id) => `{ "kv_namespaces": [
    { "binding": "OTHER", "id": "1" /* "binding": "POINTSMAN_KV" */ },
    ${object(id)},
  ] }\n`;
  const where = { environment: undefined, binding: "POINTSMAN_KV", id: ID };
  assert.equal(withNamespace("wrangler.jsonc", file(ZEROS), where), file(ID));
});

test("where the binding cannot be found, the id is said and nothing is written", () => {
  for (const [name, text] of [
    ["wrangler.toml", 'kv_namespaces = [{ binding = "POINTSMAN_KV" }]\n'],
    ["wrangler.jsonc", "{}"],
  ])
    assert.throws(
      () => withNamespace(name, text, { environment: undefined, binding: "POINTSMAN_KV", id: ID }),
      (error) => error.advice[0].includes(ID),
    );
});

test("zeros are no id", () => {
  assert.ok(isMissing(undefined));
  assert.ok(isMissing(""));
  assert.ok(isMissing(ZEROS));
  assert.ok(!isMissing(ID));
});
