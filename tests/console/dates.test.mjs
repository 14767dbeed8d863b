// Instants as people say and type them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import "./support/core.mjs";
import { asTyped, instantTyped, relative, utc } from "../../console/dates.js";
import { withImplied } from "../../console/operands.js";
import { endTyped } from "../../console/pages/key-form.js";
import { reasonsIn } from "../../console/reasons.js";

const NOW = Date.parse("2026-07-30T12:00:00Z");
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];

test("how far away an instant is, is said in the unit that tells most", () => {
  for (const [distance, text] of [
    [0, "just now"],
    [999, "just now"],
    [-5 * SECOND, "5 seconds ago"],
    [80 * SECOND, "in 80 seconds"],
    [5 * MINUTE, "in 5 minutes"],
    [-2 * HOUR, "2 hours ago"],
    [3 * DAY, "in 3 days"],
    [30 * DAY, "in 4 weeks"],
    [400 * DAY, "in 13 months"],
    [-3 * 365 * DAY, "3 years ago"],
  ])
    assert.equal(relative(NOW + distance, NOW), text);
  assert.equal(utc(NOW), "2026-07-30 12:00:00 UTC");
});

test("what a date field sends is in UTC, a day means its end, and anything else stays as it was typed", () => {
  for (const [typed, text] of [
    ["2026-12-31T23:59", "2026-12-31T23:59:00Z"],
    ["2026-12-31T23:59:58", "2026-12-31T23:59:58Z"],
    ["2026-12-31", "2026-12-31T23:59:59Z"],
    [" 2026-12-31T23:59:59+02:00 ", "2026-12-31T23:59:59+02:00"],
    ["next week", "next week"],
    ["", ""],
  ])
    assert.equal(instantTyped(typed), text);
  assert.equal(instantTyped(asTyped(NOW)), "2026-07-30T12:00:00Z");
});

test("an end that was not touched stays as the record has it", () => {
  const before = "2026-12-31 23:59:59.750Z";
  assert.equal(endTyped("2026-12-31T23:59:59", before), before);
  assert.equal(endTyped("2026-12-31T23:59:58", before), "2026-12-31T23:59:58Z");
  assert.equal(endTyped("", before), "");
});

test("a country implies its continent and the European Union, and nothing that was typed is written over", () => {
  assert.deepEqual(withImplied({ country: "de" }), {
    platform: { country: "DE", continent: "EU", eu: "yes" },
    implied: ["continent", "eu"],
  });
  assert.deepEqual(withImplied({ country: "CH" }).platform, { country: "CH", continent: "EU" });
  assert.deepEqual(withImplied({ country: "FR", continent: "SA", eu: "no" }).implied, []);
  assert.deepEqual(withImplied({ country: "T1" }), { platform: { country: "T1" }, implied: [] });
});

test("each reason of docs/problems.md is explained", () => {
  const markdown = readFileSync(new URL("../../docs/problems.md", import.meta.url), "utf8");
  const reasons = reasonsIn(markdown);
  const rows = [...markdown.matchAll(/^\| `([a-z0-9_]+)`.*\|$/gm)].map(([, name]) => name);
  const names = reasons.map(({ name }) => name);
  for (const name of rows) assert.ok(names.includes(name), name);
  assert.equal(new Set(names).size, names.length);
  const expired = reasons.find(({ name }) => name === "api_key_expired");
  assert.deepEqual(expired, {
    name: "api_key_expired",
    problem: "credential-invalid",
    status: 401,
    title: "Credential not accepted",
    meaning: "The record's `expiresAt` has come.",
  });
});
