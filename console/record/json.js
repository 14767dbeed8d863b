// JSON as the gateway reads it: one object in which no member stands twice. Numbers that JavaScript would write
// otherwise than they stand there (1.0, or more digits than it has) are kept as they are written.

const keepNumbers = (_name, value, { source }) =>
  typeof value === "number" && String(value) !== source ? JSON.rawJSON(source) : value;

const keepDigits = (_name, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? JSON.rawJSON(context.source)
    : value;

/** Reads JSON that is only shown. Numbers are numbers, but for whole ones that JavaScript would round. */
export const parseToShow = (text) => JSON.parse(text, keepDigits);

// Of JSON that is known to be well-formed: texts, and what opens, closes and parts objects and lists.
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/** The first member that stands twice in one object, at any depth; undefined where none does. */
function memberThatStandsTwice(text) {
  const open = [];
  let last;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const name = JSON.parse(last);
      if (open.at(-1).has(name)) return name;
      open.at(-1).add(name);
    }
    last = token;
  }
  return undefined;
}

/** Reads one object: { value }, or { what } is wrong. A byte order mark before it is read over. */
export function readObject(written) {
  const text = written.replace(/^\ufeff/, "");
  let value;
  try {
    value = JSON.parse(text, keepNumbers);
  } catch (error) {
    return { what: `is no JSON: ${error.message}` };
  }
  if (!isObject(value)) return { what: "must be a JSON object: { … }" };
  const twice = memberThatStandsTwice(text);
  return twice === undefined ? { value } : { what: `has the member ${JSON.stringify(twice)} twice` };
}

/** Whether a value is an object: no list, no null and no number that is kept as it was written. */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);

/** A JSON Pointer's part (RFC 6901). */
export const pointerPart = (name) => String(name).replaceAll("~", "~0").replaceAll("/", "~1");
