// Instants as people say them. The exact one, in UTC, always stands beside.

/** @type {[unit: Intl.RelativeTimeFormatUnit, millis: number][]} */
const UNITS = [
  ["year", 365 * 86_400_000],
  ["month", 30 * 86_400_000],
  ["week", 7 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];
/** A unit is used from so many of the next smaller one on: 13 days are more telling than two weeks. */
const FROM = 1.5;

const WORDS = new Intl.RelativeTimeFormat("en", { numeric: "always" });

/**
 * "in 3 days", "2 hours ago"; "just now" for less than a second.
 * @param {number} at in milliseconds since 1970
 * @param {number} now
 */
export function relative(at, now) {
  const distance = at - now;
  const size = Math.abs(distance);
  const [unit, millis] = UNITS.find(([name, length]) => size >= length * (name === "second" ? 1 : FROM)) ?? [];
  if (unit === undefined || millis === undefined)
    return size < 1000 ? "just now" : WORDS.format(Math.sign(distance), "second");
  return WORDS.format(Math.round(distance / millis), unit);
}

/** "2026-12-31 23:59:59 UTC", without milliseconds. @param {number} at */
export const utc = (at) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** What `<input type="datetime-local" step="1">` holds, in UTC. @param {number} at */
export const asTyped = (at) => new Date(at).toISOString().slice(0, 19);

/** Whether Date can hold it. @param {number} at */
export const isInstant = (at) => Number.isFinite(at) && Math.abs(at) <= 8.64e15;

/**
 * What a date field was sent with, as RFC 3339: the field is in UTC. Whatever else was typed stays as it is, so that the record's
 * own check says what is wrong with it.
 * @param {string} text
 */
export function instantTyped(text) {
  const typed = text.trim();
  const [, day, time, seconds = ":00"] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?)?$/.exec(typed) ?? [];
  if (day === undefined) return typed;
  // The end of a day is what people mean who name a day.
  return time === undefined ? `${day}T23:59:59Z` : `${day}T${time}${seconds}Z`;
}
