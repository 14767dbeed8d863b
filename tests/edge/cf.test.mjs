// What crosses to the core of the platform's `request.cf`. The core's own test reads the texts of the same file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cf, install, survey } from "../../src/edge/glue.js";

const crossings = JSON.parse(readFileSync(new URL("../../fixtures/cf-crossings.json", import.meta.url), "utf8"));

test("a value crosses with its type", () => {
  assert.ok(crossings.length > 8);
  for (const { cf: said, path, crosses_as } of crossings) {
    assert.equal(cf({ request: { cf: said } }, path), crosses_as, `${path} of ${JSON.stringify(said)}`);
  }
});

test("a request without request.cf says nothing", () => {
  assert.equal(cf({ request: {} }, "country"), undefined);
  assert.equal(cf({ request: {} }, "botManagement.score"), undefined);
});

test("a request whose rules ask for nothing of it is not asked for request.cf", () => {
  install(() => 0, 1024, 1);
  const request = new Request("https://api.example.com/", { headers: { accept: "*/*" } });
  Object.defineProperty(request, "cf", { get: () => assert.fail("request.cf was read") });
  assert.match(survey(request).text, /GET\0https:\/\/api\.example\.com\//);
});
