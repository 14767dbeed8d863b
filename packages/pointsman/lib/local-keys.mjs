// API keys for this machine alone, so that a request can be tried as soon as the gateway runs. Each has the claims of a case.
// They are in the local KV and in the project's state, both of which git ignores, and no deployment knows them.
import { createHash, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** @import { Entry } from "./data.mjs" */
/** @import { Form } from "./form.mjs" */
/** @import { Project } from "./project.mjs" */

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const FILE = "local-keys.json";

/** @type {(beginning: string) => string} */
function checksum(beginning) {
  const sum = crc32(beginning);
  return Array.from({ length: 6 }, (_, i) => BASE62[Math.floor(sum / 62 ** (5 - i)) % 62]).join("");
}

/**
 * A new key, as `pointsman keys create` makes them.
 * @param {string} prefix
 */
export function mint(prefix) {
  const middle = Array.from({ length: 24 }, () => BASE62[randomInt(62)]).join("");
  return `${prefix}_${middle}_${checksum(`${prefix}_${middle}`)}`;
}

/** @type {(key: string) => string} */
export const entryName = (key) => `key:${createHash("sha256").update(key).digest("hex")}`;

/**
 * The keys of this machine: one for each kind of caller, made where it is not there yet.
 * @param {Project} project
 */
export function openLocalKeys({ state }) {
  const file = join(state, FILE);
  /** @type {Record<string, string>} by prefix and caller */
  const keys = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  /** @type {Map<string, Entry>} */
  const entries = new Map();
  return {
    /**
     * The key of a caller.
     * @param {NonNullable<Form["api_keys"]>} settings
     * @param {{ subject?: string, claims?: Record<string, unknown> }} caller
     */
    keyOf({ prefixes }, { subject = "local", claims = {} }) {
      // Of a name that says what it is for, the kind of key says the same.
      const environment = String(claims.environment ?? "");
      const isTest = environment !== "" && environment !== "production";
      const prefix = prefixes.find((name) => isTest === /test|sandbox|dev/.test(name)) ?? prefixes[0];
      const caller = JSON.stringify([prefix, subject, claims]);
      keys[caller] ??= mint(prefix);
      const value = JSON.stringify({ subject, claims, name: "made by pointsman start, for this machine" });
      entries.set(caller, { key: entryName(keys[caller]), value });
      return keys[caller];
    },
    /** What KV must hold for those that were asked for. */
    entries: () => [...entries.values()],
    save() {
      mkdirSync(state, { recursive: true });
      writeFileSync(file, `${JSON.stringify(keys, undefined, 2)}\n`, { mode: 0o600 });
    },
  };
}

/** @typedef {ReturnType<typeof openLocalKeys>} LocalKeys */
