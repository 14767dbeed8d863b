// JSON that is shown or written again. Numbers that JavaScript would write otherwise than they stand there (1.0, or more
// digits than it has) are kept as they are written.
import { objectError } from "./core.js";

/** @import { JsonObject } from "./types.d.ts" */

/** @type {(name: string, value: unknown, context: { source: string }) => unknown} */
const keepNumbers = (_name, value, { source }) =>
  typeof value === "number" && String(value) !== source ? JSON.rawJSON(source) : value;

/** @type {(name: string, value: unknown, context: { source: string }) => unknown} */
const keepDigits = (_name, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? JSON.rawJSON(context.source)
    : value;

/**
 * Reads JSON that is only shown. Numbers are numbers, but for whole ones that JavaScript would round.
 * @type {(text: string) => unknown}
 */
export const parseToShow = (text) => JSON.parse(text, keepDigits);

/**
 * Reads one object as the gateway does: { value }, or { what } is wrong.
 * @param {string} text
 * @returns {{ value: JsonObject, what?: undefined } | { value?: undefined, what: string }}
 */
export function readObject(text) {
  const what = objectError(text);
  if (what !== undefined) return { what };
  return { value: /** @type {JsonObject} */ (JSON.parse(text.replace(/^\ufeff/, ""), keepNumbers)) };
}

/**
 * Whether a value is an object: no list, no null and no number that is kept as it was written.
 * @param {unknown} value
 * @returns {value is JsonObject}
 */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
