// How figures are written, in the tables on the terminal and in the documents alike.
const MIB = 1024 * 1024;

export const ratio = (value) => value.toFixed(2);
export const range = ({ low, high }) => `${ratio(low)}–${ratio(high)}`;
export const count = (number) => number.toLocaleString("en-US").replaceAll(",", " ");
export const kibibytes = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
export const mebibytes = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

/** A figure in its unit. */
export function figure(value, unit) {
  if (unit === "bytes") return Math.abs(value) < 4 * MIB ? kibibytes(value) : mebibytes(value);
  if (unit === "s") return `${value.toFixed(1)} s`;
  return unit === "ms" ? `${value.toFixed(1)} ms` : ratio(value);
}

/** Rows of text as a Markdown table; `right` are the columns whose figures stand at the right. */
export function table(head, rows, right = []) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (right.includes(index) ? "---:" : "---"))), ...rows.map(line)].join(
    "\n",
  );
}
