// JSON that is shown or written again. Numbers that JavaScript would write otherwise than they stand there (1.0, or more
// digits than it has) are kept as they are written.
import { objectError } from "./core.js";

const keepNumbers = (_name, value, { source }) =>
  typeof value === "number" && String(value) !== source ? JSON.rawJSON(source) : value;

const keepDigits = (_name, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? JSON.rawJSON(context.source)
    : value;

/** Reads JSON that is only shown. Numbers are numbers, but for whole ones that JavaScript would round. */
export const parseToShow = (text) => JSON.parse(text, keepDigits);

/** Reads one object as the gateway does: { value }, or { what } is wrong. */
export function readObject(text) {
  const what = objectError(text);
  return what === undefined ? { value: JSON.parse(text.replace(/^\ufeff/, ""), keepNumbers) } : { what };
}

/** Whether a value is an object: no list, no null and no number that is kept as it was written. */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
