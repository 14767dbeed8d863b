// What the backend of one customer may not say on a host that all customers share.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hostOnlyCookie, speaksForOrigin } from "../../src/edge/isolation.js";

test("fields that speak for the whole origin are known", () => {
  for (const name of [
    "clear-site-data",
    "strict-transport-security",
    "nel",
    "report-to",
    "reporting-endpoints",
    "alt-svc",
    "public-key-pins",
    "public-key-pins-report-only",
    "expect-ct",
    "origin-agent-cluster",
    "service-worker-allowed",
    "accept-ch",
    "set-login",
  ]) {
    assert.equal(speaksForOrigin(name), true, name);
  }
  for (const name of [
    "content-type",
    "set-cookie",
    "content-security-policy",
    "x-frame-options",
    "location",
    "www-authenticate",
    "etag",
  ]) {
    assert.equal(speaksForOrigin(name), false, name);
  }
});

test("a cookie loses its Domain and nothing else", () => {
  for (const [sent, kept] of [
    ["a=b; Domain=example.com; Path=/", "a=b; Path=/"],
    ["a=b;domain=.example.com", "a=b"],
    ["a=b; DOMAIN = example.com ; Secure", "a=b; Secure"],
    ["a=b; Domain; HttpOnly", "a=b; HttpOnly"],
    ["a=b; Domain=a.example; Path=/; Domain=b.example", "a=b; Path=/"],
    ['a=b;\tDomain=x;  Max-Age=1;;  X="y"', 'a=b;  Max-Age=1;;  X="y"'],
    // To a browser the value ends at the semicolon, quotes or not.
    ['a="b; Domain=example.com; c"', 'a="b; c"'],
    ["a=b, c=d; Domain=x", "a=b, c=d"],
  ]) {
    assert.equal(hostOnlyCookie(sent), kept, sent);
  }
  for (const sent of [
    "a=b",
    "Domain=example.com; Path=/",
    "a=Domain=x",
    "a=b; Path=/; Secure; HttpOnly; SameSite=None; Expires=Thu, 01 Jan 2100 00:00:00 GMT",
    "a=b; x-domain=y",
    "",
    ";",
  ]) {
    assert.equal(hostOnlyCookie(sent), undefined, sent);
  }
});
