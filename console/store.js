// KV as the console uses it. All truth is in the value; the metadata only says its digest, so that others need not read
// a value to know whether it is the one that they wrote.
import { digestOf } from "./encoding.js";
import { isObject } from "./json.js";

/** @import { StoredText } from "./types.d.ts" */

/** KV reads this many values at once. */
const BULK = 100;

/**
 * Lists names with their values: { entries: [{ name, text }], cursor }. The cursor is undefined at the end.
 * @param {KVNamespace} store
 * @param {{ prefix: string, cursor?: string, limit?: number }} order
 * @returns {Promise<{ entries: StoredText[], cursor: string | undefined }>}
 */
export async function readPage(store, { prefix, cursor, limit = BULK }) {
  const page = await store.list({ prefix, limit, ...(cursor && { cursor }) });
  const names = page.keys.map(({ name }) => name);
  const values = names.length > 0 ? await store.get(names, "text") : new Map();
  // What was deleted since it was listed has no value any more.
  const entries = names.flatMap((name) => {
    const text = values.get(name) ?? undefined;
    return text === undefined ? [] : { name, text };
  });
  return { entries, cursor: page.list_complete ? undefined : page.cursor };
}

/**
 * Pages until `enough` matches or `most` pages were read: { found, cursor, looked }.
 * @template T
 * @param {(cursor: string | undefined) => Promise<{ entries: StoredText[], cursor: string | undefined }>} readOne
 * @param {{ cursor?: string, matches: (entry: StoredText) => T | undefined, enough: number, most: number }} order
 */
export async function search(readOne, { cursor: begin, matches, enough, most }) {
  /** @type {T[]} */
  const found = [];
  let cursor = begin;
  let looked = 0;
  for (let pages = 0; pages < most; pages++) {
    const page = await readOne(cursor);
    looked += page.entries.length;
    found.push(...page.entries.flatMap((entry) => matches(entry) ?? []));
    cursor = page.cursor;
    if (!cursor || found.length >= enough) break;
  }
  return { found, cursor, looked };
}

/**
 * What an entry has beside its value: { expiration, metadata }, each only where there is one.
 * @param {KVNamespace} store
 * @param {string} name
 * @returns {Promise<{ expiration?: number, metadata?: unknown }>}
 */
async function beside(store, name) {
  const { keys } = await store.list({ prefix: name, limit: 1 });
  return keys[0]?.name === name ? keys[0] : {};
}

/** KV takes no expiry that is nearer than this, in seconds. */
const NEAREST = 60;
/** KV takes no metadata that is longer as JSON, in bytes. */
const LONGEST_METADATA = 1024;

/**
 * The metadata of an entry with the digest of its new value; without it where there is no room, since it only saves a read.
 * The record that the command line leaves there is of the old value.
 * @param {unknown} metadata
 * @param {string} sha256
 */
export function metadataWith(metadata, sha256) {
  if (metadata === undefined || metadata === null) return { sha256 };
  if (!isObject(metadata)) return metadata;
  const { sha256: old, record, ...rest } = metadata;
  const both = { ...rest, sha256 };
  return new TextEncoder().encode(JSON.stringify(both)).length <= LONGEST_METADATA ? both : rest;
}

/**
 * Writes a record as one line of JSON. What the entry has in KV beside its value stays: an expiry works like a deletion to
 * come. `endOf` names the entry whose expiry it gets, where that is another.
 * @param {KVNamespace} store
 * @param {string} name
 * @param {object} record
 * @param {{ endOf?: string }} [options]
 */
export async function write(store, name, record, { endOf = name } = {}) {
  const text = JSON.stringify(record);
  const [sha256, own, other] = await Promise.all([
    digestOf(text),
    beside(store, name),
    endOf === name ? undefined : beside(store, endOf),
  ]);
  const end = (other ?? own).expiration;
  const expiration = end && Math.max(end, Math.ceil(Date.now() / 1000) + NEAREST + 1);
  await store.put(name, text, { metadata: metadataWith(own.metadata, sha256), ...(expiration && { expiration }) });
}
