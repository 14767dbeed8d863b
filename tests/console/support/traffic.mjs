// Points of metrics in the stand-in of Workers Analytics Engine, and a console's variables for it.
import assert from "node:assert/strict";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../../demo/analytics/stand-in.mjs";

/** Where in a point each stands: docs/metrics.md. */
const BLOBS = {
  customer: 1,
  route: 2,
  rule: 3,
  variant: 4,
  backend: 5,
  origin: 6,
  key: 7,
  auth: 8,
  reason: 9,
  configuration: 12,
  unverified: 14,
};

/** A stand-in that listens: { address, env, write, stop }. */
export async function startAnalytics(options) {
  const standIn = new AnalyticsStandIn(options);
  const base = await standIn.start();
  return {
    /** Host and port. */
    address: new URL(base).host,
    env: { CLOUDFLARE_ACCOUNT_ID: ACCOUNT, METRICS_TOKEN: TOKEN, METRICS_API: `${base}/client/v4` },
    /**
     * Writes `count` points, the first `at` in seconds since 1970 and all within `over` seconds. Texts have the names of
     * docs/metrics.md.
     */
    write({ at, count = 1, over = 0, status = 200, duration = 20, ...texts }) {
      const blobs = new Array(15).fill("");
      blobs[0] = "1";
      blobs[10] = `${Math.floor(status / 100)}xx`;
      for (const [name, value] of Object.entries(texts)) {
        assert.ok(BLOBS[name], name);
        blobs[BLOBS[name]] = value;
      }
      const isCalled = (texts.backend ?? "") !== "";
      for (let i = 0; i < count; i++) {
        const doubles = [1, status, duration + (i % 10), isCalled ? duration : 0, 0, isCalled ? 1 : 0, 0, 0];
        standIn.write(
          { indexes: [texts.customer ?? ""], blobs, doubles },
          (at + Math.floor((over * i) / count)) * 1000,
        );
      }
    },
    stop: () => standIn.stop(),
  };
}

/** The digest of a key that has expired. */
export const EXPIRED = "0123456789abcdef".repeat(4);

/** Traffic of the hour before `now`, in seconds, with four incidents that an operator must find. */
export function writeTraffic({ write }, now) {
  const hour = now - 3480;
  const normal = { route: "/api/{+path}", configuration: "aaaa1111", auth: "api_key" };
  const own = { ...normal, rule: "own", backend: "customer" };
  const refused = { route: normal.route, configuration: normal.configuration, status: 401 };
  const unreachable = { status: 502, reason: "backend_unreachable" };
  for (const customer of ["acme", "globex", "initech"])
    write({ at: hour, over: 3400, count: 600, customer, ...own, origin: `https://${customer}.example.com` });
  // What always goes wrong a little.
  write({ at: hour, over: 3400, count: 3, customer: "globex", ...own, ...unreachable });
  // One customer's origin dies.
  const dead = { customer: "acme", origin: "https://acme.example.com", duration: 900 };
  write({ at: now - 900, over: 880, count: 150, ...own, ...dead, ...unreachable });
  // A key expires.
  const expired = { auth: "api_key", reason: "api_key_expired", unverified: "wayne", key: EXPIRED.slice(0, 16) };
  write({ at: now - 1800, over: 1700, count: 60, ...refused, ...expired });
  // An issuer withdraws a signing key.
  write({ at: now - 600, over: 580, count: 80, ...refused, auth: "corporate", reason: "token_key_unknown" });
  // A bad rule is deployed.
  const bad = { configuration: "bbbb2222", rule: "block-beta", status: 403, reason: "denied_by_rule" };
  write({ at: now - 300, over: 290, count: 90, customer: "initech", ...normal, ...bad });
  write({ at: now - 300, over: 290, count: 30, customer: "globex", ...own, configuration: "bbbb2222" });
}

/** How many keys have expired long ago and are sent all the same in `writeNoise`: more than a card names. */
export const OLD_KEYS = 12;

/** What always goes wrong at a busy gateway, more than anything of `writeTraffic` does: old keys, and an origin that is gone. */
export function writeNoise({ write }, now) {
  const hour = { at: now - 3600, over: 3590, route: "/api/{+path}", configuration: "aaaa1111" };
  for (let i = 0; i < OLD_KEYS; i++) {
    const key = i.toString(16).padStart(16, "a");
    const expired = { auth: "api_key", reason: "api_key_expired", unverified: `old-${i}`, key };
    write({ ...hour, count: 70 + i, status: 401, ...expired });
  }
  const gone = { customer: "ghost", rule: "own", backend: "customer", origin: "https://ghost.example.com" };
  write({ ...hour, count: 400, status: 502, reason: "backend_unreachable", ...gone });
}
