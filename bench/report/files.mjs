// The files that a run leaves behind: what was measured, what was counted, and the document with the chart.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { chart } from "./chart.mjs";
import { fill } from "./document.mjs";
import { SECTIONS } from "./tables.mjs";

const RESULTS = inRoot("bench", "results.json");
/** Counts are the same on every machine and are held to by tests: they change only where somebody says so. */
const COUNTS = ["crossings", "instructions"];
const counts = (part) => inRoot("bench", `${part}.json`);
export const DOCUMENT = inRoot("docs", "performance.md");
const CHART = inRoot("docs", "performance.svg");

const read = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined);
const write = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** All that was written down before. */
export const kept = () => ({
  ...read(RESULTS),
  ...Object.fromEntries(COUNTS.flatMap((part) => (existsSync(counts(part)) ? [[part, read(counts(part))]] : []))),
});

/** Puts the parts that were measured in the place of what was measured before. */
export function keep(seen, on) {
  const measured = Object.entries(seen).filter(([part]) => !COUNTS.includes(part));
  if (measured.length > 0)
    write(RESULTS, {
      ...read(RESULTS),
      ...Object.fromEntries(measured.map(([part, result]) => [part, { on, ...result }])),
    });
  writeReport(kept());
}

export function writeCounts(seen) {
  for (const part of COUNTS) if (seen[part]) write(counts(part), seen[part]);
}

/** Generated text by the marker that it stands at. */
export const sections = (results) =>
  Object.fromEntries(Object.entries(SECTIONS).map(([name, section]) => [name, section(results) || undefined]));

export function writeReport(results) {
  writeFileSync(DOCUMENT, fill(readFileSync(DOCUMENT, "utf8"), sections(results)));
  if (results["side-by-side"]) writeFileSync(CHART, chart(results["side-by-side"]));
}
