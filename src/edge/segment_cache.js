// Segments of the log in the location's cache: a gap costs a location one call of the ledger, however many isolates have it.
// A segment that has all its changes never changes again; any other is not kept.
import { epochOf, integerAt, isKind, keepValue, keptValue } from "./location_cache.js";

/** @import { Bytes } from "./location_cache.js" */

/**
 * @typedef {object} Place
 * @property {string} epoch in hexadecimal
 * @property {number} first the revision of its first change
 * @property {number} format that its reader reads; another version of the gateway has its own
 */

const SEGMENT = "PL";
/** Where in a segment the revision of its first change stands, and how many changes it has. */
const FIRST_AT = 19;
const COUNT_AT = 27;
/** 256, as a number of variable length. */
const ALL = [0x80, 0x02];
/** The log keeps changes for a day. */
const KEPT_SECONDS = 86_400;

/** @param {Place} place */
const pathOf = ({ epoch, first, format }) => `/segment/${format}/${epoch}/${first}`;

/**
 * Whether bytes are all of a segment: somebody may have left another one under its name.
 * @param {Bytes} bytes
 * @param {Place} place
 */
function isAllOf(bytes, { epoch, first }) {
  const isIt = isKind(bytes, SEGMENT) && epochOf(bytes) === epoch && integerAt(bytes, FIRST_AT) === first;
  return isIt && ALL.every((byte, index) => bytes[COUNT_AT + index] === byte);
}

/**
 * @param {KVNamespace | undefined} store
 * @param {Place} place
 */
export const keptSegment = (store, place) => keptValue(store, pathOf(place), (bytes) => isAllOf(bytes, place));

/**
 * @param {KVNamespace | undefined} store
 * @param {Place} place
 * @param {Bytes} bytes
 */
export async function keepSegment(store, place, bytes) {
  if (isAllOf(bytes, place)) await keepValue(store, pathOf(place), bytes, KEPT_SECONDS);
}
