// Instants in RFC 3339 with an offset, from 1970 on.

const INSTANT = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/**
 * Milliseconds since 1970; undefined where the text is no such instant.
 * @param {string} text
 * @returns {number | undefined}
 */
export function instantOf(text) {
  const found = INSTANT.exec(text);
  if (found === null) return undefined;
  const [year, month, day, hour, minute, second, , offsetHour, offsetMinute] = found
    .slice(1)
    .map((digits = "0") => Number(digits));
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  // Date takes 31 February for 3 March.
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  // A leap second, which Date does not know.
  const milliseconds = Date.parse(text.toUpperCase().replace(/:60/, ":59"));
  return milliseconds >= 0 ? milliseconds : undefined;
}

/** @type {Record<string, number>} */
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A span such as 30m, 24h or 7d in milliseconds; undefined where the text is none.
 * @param {string} text
 * @returns {number | undefined}
 */
export function spanOf(text) {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS[unit];
}
