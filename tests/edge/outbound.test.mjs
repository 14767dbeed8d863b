// How calls go out, and what is said of those that failed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callOut, whyCallFailed } from "../../src/edge/outbound.js";

test("every call asks nothing of a cache and follows no redirect, whatever else is said", () => {
  const calls = [];
  const by = { fetch: (...given) => calls.push(given) };
  callOut(by, "https://a.example/", {});
  callOut(by, "https://a.example/", { method: "POST", redirect: "follow", cf: { cacheTtl: 60 } });
  for (const [target, init] of calls) {
    assert.equal(target, "https://a.example/");
    assert.deepEqual([init.cf, init.redirect], [{ cacheTtl: -1 }, "manual"]);
  }
  assert.equal(calls[1][1].method, "POST");
});

test("a binding that is missing is not the network", () => {
  assert.throws(() => callOut(undefined, "https://a.example/", {}), TypeError);
});

test("nothing that the runtime says of a failed call is in a log line", () => {
  const hidden = ["SECRET", "user:password", "config.example.com"];
  for (const message of [
    "Invalid URL: https://user:password@config.example.com/list?token=SECRET",
    "Invalid URL string. https://config.example.com/a b?token=SECRET",
    "Fetch API cannot load: https://config.example.com/?token=SECRET",
    "DNS lookup failed for config.example.com?SECRET",
    "certificate of config.example.com: SECRET",
    "user:password@config.example.com?SECRET timed out",
    "SECRET",
    "",
  ]) {
    for (const error of [new TypeError(message), new Error(message), message, { message }]) {
      const why = whyCallFailed(error);
      assert.ok(why.length > 0);
      for (const text of hidden) assert.ok(!why.includes(text), `${message}: ${why}`);
    }
  }
  assert.equal(whyCallFailed(new Error("Network connection lost.")), "the connection was lost");
  for (const odd of [undefined, null, 7, {}, { message: 7 }]) assert.equal(whyCallFailed(odd), "no HTTP answer came");
});
