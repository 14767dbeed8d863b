// The SQL of docs/usage.md, which is what pointsman-usage makes, runs on the stand-in as it stands.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AnalyticsStandIn } from "./stand-in.mjs";

const page = readFileSync(new URL("../../docs/usage.md", import.meta.url), "utf8");
const documented = [...page.matchAll(/```json\n(.*?)\n```\n\n```sql\n(.*?)```/gs)].map(([, question, sql]) => ({
  question: JSON.parse(question),
  sql,
}));

test("each question of the documentation finds the point that it asks for", () => {
  assert.equal(documented.length, 4);
  for (const { question, sql } of documented) {
    const standIn = new AnalyticsStandIn();
    const blobs = ["1", "acme-corp", "/", "customer", "", "eu", "", "0123456789abcdef", "api_key"];
    const point = { blobs: [...blobs, "backend_unreachable", "5xx"], doubles: [1, 502, 40, 30, 0, 1, 7, 9] };
    for (const at of [question.from - 1, question.from, question.until]) standIn.write(point, at * 1000);
    const { data } = standIn.query(sql);
    assert.equal(data.length, 1, sql);
    const [{ requests, errors, backend_errors, backend_p95, request_bytes, first_failing }] = data;
    assert.deepEqual(
      { requests, errors, backend_errors, backend_p95, request_bytes, first_failing },
      {
        requests: "1",
        errors: "1",
        backend_errors: "1",
        backend_p95: 30,
        request_bytes: 7,
        first_failing: question.from,
      },
    );
  }
});
