// Charts as SVG, drawn here. What one shows stands behind it as a table, and its colours are classes of the style sheet: the
// console's policy allows no others.
import { html, table } from "./parts.js";

/** @import { Content, Html } from "../types.d.ts" */

/**
 * What is drawn over time. `kind` is its class and its name's place in the legend.
 * @typedef {{ name: string, kind: string, values: number[] }} Series
 */

const WIDTH = 920;
const HEIGHT = 210;
/** What stands around the drawing: numbers on the left, times below. */
const LEFT = 56;
const BOTTOM = 24;
const TOP = 10;
const PLOT = { width: WIDTH - LEFT - 8, height: HEIGHT - BOTTOM - TOP };

/**
 * A round number that is no less and whose half is round too, so that lines of a chart have short names.
 * @param {number} value
 */
export function roundUp(value) {
  if (value <= 2) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((one) => one * power >= value) ?? 10;
  return step * power;
}

const NUMBERS = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
/** @type {(value: number) => string} */
export const compact = (value) => NUMBERS.format(value);

/** Times that are written below are so far apart, in seconds: ten minutes, four hours, a day. */
const EVERY = [600, 4 * 3600, 86_400];
const MOST_LABELS = 8;
/** Room for one of them. */
const LABEL_WIDTH = 44;

/** @type {(at: number, isDay: boolean) => string} */
const timeLabel = (at, isDay) => {
  const text = new Date(at * 1000).toISOString();
  return isDay ? text.slice(5, 10) : text.slice(11, 16);
};

/** @type {(value: number) => string} */
const places = (value) => value.toFixed(1);

/**
 * @param {{ id: string, title: string, text: string, times: number[], step: number, top: number, unit: string, marks: Content }} parts
 */
function frame({ id, title, text, times, step, top, unit, marks }) {
  const lines = [0, 0.5, 1].map((part) => {
    const y = TOP + PLOT.height * (1 - part);
    return html`<line class="grid" x1="${LEFT}" x2="${WIDTH - 8}" y1="${places(y)}" y2="${places(y)}"></line>
      <text class="tick" x="${LEFT - 8}" y="${places(y + 4)}" text-anchor="end">${compact(top * part)}${unit}</text>`;
  });
  const every = EVERY.find((seconds) => (step * times.length) / seconds <= MOST_LABELS) ?? step * times.length;
  const isDay = step * times.length > 2 * 86_400;
  const labels = times.map((at, i) => {
    if (at % every !== 0) return "";
    const x = LEFT + (PLOT.width * i) / times.length;
    // One that begins at the edge would be cut off there.
    const isLast = x > WIDTH - LABEL_WIDTH;
    return html`<text class="tick" x="${places(isLast ? WIDTH - 2 : x)}" y="${HEIGHT - 6}"${isLast && html` text-anchor="end"`}>${timeLabel(at, isDay)}</text>`;
  });
  return html`<div class="scroll chart" tabindex="0" role="region" aria-label="${title}">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-text">
      <title id="${id}-title">${title}</title>
      <desc id="${id}-text">${text}</desc>
      ${lines}${labels}${marks}
    </svg>
  </div>`;
}

/** @type {(series: Series[]) => Html} */
const legend = (series) =>
  html`<ul class="legend">${series.map(({ name, kind }) => html`<li class="${kind}">${name}</li>`)}</ul>`;

/** @param {{ title: string, times: number[], series: Series[], unit: string }} parts */
function behind({ title, times, series, unit }) {
  const rows = times.map((at, i) => [
    new Date(at * 1000).toISOString().slice(0, 16).replace("T", " "),
    ...series.map(({ values }) => `${Math.round(values[i]).toLocaleString("en")}${unit}`),
  ]);
  return html`<details><summary>${title} as a table</summary>${table({ caption: `${title}; times in UTC`, columns: ["From", ...series.map(({ name }) => name)], rows })}</details>`;
}

/**
 * Numbers on top of each other, a bar for each step.
 * @param {{ id: string, title: string, times: number[], step: number, series: Series[] }} parts
 */
export function bars({ id, title, times, step, series }) {
  const totals = times.map((_, i) => series.reduce((sum, { values }) => sum + values[i], 0));
  const top = roundUp(Math.max(0, ...totals));
  const width = PLOT.width / Math.max(1, times.length);
  const marks = times.map((at, i) => {
    if (totals[i] <= 0) return "";
    let y = TOP + PLOT.height;
    const when = new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
    const said = series.map(({ name, values }) => `${name} ${Math.round(values[i]).toLocaleString("en")}`).join(", ");
    return html`<g><title>${when} UTC: ${said}</title>${series.map(({ kind, values }) => {
      if (values[i] <= 0) return "";
      // What is there is seen, however little it is.
      const height = Math.max(1.5, (PLOT.height * values[i]) / top);
      y -= height;
      return html`<rect class="bar ${kind}" x="${places(LEFT + i * width + 0.5)}" y="${places(y)}" width="${places(Math.max(1, width - 1))}" height="${places(height)}"></rect>`;
    })}</g>`;
  });
  const sums = series.map(({ name, values }) => `${name}: ${values.reduce((a, b) => a + b, 0).toLocaleString("en")}`);
  const text = `${sums.join("; ")}. The table below has all figures.`;
  return html`${legend(series)}${frame({ id, title, text, times, step, top, unit: "", marks })}${behind({ title, times, series, unit: "" })}`;
}

/**
 * Numbers beside each other, a line for each. A step without any request has no point.
 * @param {{ id: string, title: string, times: number[], step: number, series: Series[], unit: string, has: boolean[] }} parts
 */
export function lines({ id, title, times, step, series, unit, has }) {
  const top = roundUp(Math.max(0, ...series.flatMap(({ values }) => values)));
  const width = PLOT.width / Math.max(1, times.length);
  const marks = series.map(({ kind, values }) => {
    let isBroken = true;
    const path = values
      .map((value, i) => {
        if (!has[i]) {
          isBroken = true;
          return "";
        }
        const [x, y] = [LEFT + (i + 0.5) * width, TOP + PLOT.height * (1 - value / top)];
        // A point that stands alone is a short line.
        const text = isBroken
          ? `M${places(x - 1)} ${places(y)}L${places(x)} ${places(y)}`
          : `L${places(x)} ${places(y)}`;
        isBroken = false;
        return text;
      })
      .join("");
    return html`<path class="line ${kind}" d="${path}"></path>`;
  });
  const peaks = series.map(
    ({ name, values }) => `${name}: at most ${Math.round(Math.max(0, ...values)).toLocaleString("en")}${unit}`,
  );
  const text = `${peaks.join("; ")}. The table below has all figures.`;
  return html`${legend(series)}${frame({ id, title, text, times, step, top, unit, marks })}${behind({ title, times, series, unit })}`;
}

/**
 * A small picture of a few numbers beside text that says the same.
 * @param {number[]} values
 */
export function spark(values) {
  const top = Math.max(1, ...values);
  const width = 120 / Math.max(1, values.length);
  return html`<svg class="spark" viewBox="0 0 120 24" width="120" height="24" aria-hidden="true">${values.map(
    (value, i) => {
      const height = value > 0 ? Math.max(1.5, (23 * value) / top) : 0;
      return height > 0
        ? html`<rect x="${places(i * width)}" y="${places(24 - height)}" width="${places(Math.max(0.8, width - 0.6))}" height="${places(height)}"></rect>`
        : "";
    },
  )}</svg>`;
}
