// `pointsman entries`: what KV should hold by a folder of files, without KV.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { npmBin } from "../../scripts/lib/paths.mjs";
import { openProject } from "./support/project.mjs";

let project;
before(async () => {
  project = await openProject();
});
after(() => project.close());

const DIGEST = createHash("sha256").update("some key").digest("hex");

test("wrangler takes what it prints, and KV holds it then", async () => {
  project.write("data/customers.json", [{ customerId: "acme", backendUrl: "https://acme.example.com" }]);
  project.write("data/keys.jsonl", `${JSON.stringify({ sha256: DIGEST, subject: "acme-ci" })}\n`);
  const { code, out, err } = await project.run(["entries", "data"]);
  assert.equal(code, 0, err);
  const entries = JSON.parse(out);
  assert.deepEqual(
    entries.map(({ key, value }) => [key, JSON.parse(value)]),
    [
      ["customer:acme", { customerId: "acme", backendUrl: "https://acme.example.com" }],
      [`key:${DIGEST}`, { subject: "acme-ci" }],
    ],
  );
  // With the digest by which `plan` sees that an entry is as it should be.
  for (const { value, metadata } of entries)
    assert.equal(metadata.sha256, createHash("sha256").update(value).digest("hex"));

  project.write("entries.json", out);
  const put = ["kv", "bulk", "put", "entries.json", "--binding", "POINTSMAN_KV", "--local", "--persist-to", "kv"];
  const { status, stderr } = spawnSync(npmBin("wrangler"), put, { cwd: project.folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const { out: planned } = await project.local(["plan", "data"]);
  assert.match(planned, /0 to create, 0 to change, 0 to delete, 2 unchanged/);
});

test("plain http is left to the gateway, and every other fault is said", async () => {
  project.write("other/customers.json", [{ customerId: "acme", backendUrl: "http://127.0.0.1:9000" }]);
  assert.equal((await project.run(["entries", "other"])).code, 0);
  project.write("other/customers.json", [{ customerId: "acme", backendUrl: "ftp://127.0.0.1" }]);
  const { code, out, err } = await project.run(["entries", "other"]);
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(err, /customers\.json:1: error: .*backendUrl/);
});

test("a folder with no records has no entries", async () => {
  project.write("empty/customers.json", []);
  const { code, out } = await project.run(["entries", "empty"]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out), []);
});
