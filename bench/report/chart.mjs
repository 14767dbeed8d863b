// The side-by-side figures as bars. The colours follow the reader's: light or dark.
const WIDTH = 860;
const LABELS = 330;
const ROW = 26;
const TOP = 66;
const BARS = WIDTH - LABELS - 70;

const STYLE = `
    :root { color-scheme: light dark }
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .small { font-size: 11px; fill: #59636e }
    .head { font-size: 15px; font-weight: 600 }
    .own { fill: #1a7f37 } .peer { fill: #8c959f } .base { fill: #59636e }
    .line { stroke: #59636e; stroke-dasharray: 3 3 } .whisker { stroke: #1f2328 }
    .paper { fill: #ffffff }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .small { fill: #9198a1 }
      .own { fill: #3fb950 } .peer { fill: #656c76 } .base { fill: #9198a1 }
      .line { stroke: #9198a1 } .whisker { stroke: #e6edf3 } .paper { fill: #0d1117 }
    }`;

const escapeXml = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("`", "");

/** Rows of twelve fields without the control, the cheapest first. */
export function chart({ rows }) {
  const shown = rows
    .filter(({ fields, id }) => fields === 12 && !id.endsWith("again"))
    .sort((a, b) => a.ratio.median - b.ratio.median);
  const most = Math.max(...shown.map(({ ratio }) => ratio.high), 1.1);
  const x = (value) => LABELS + (value / most) * BARS;
  const height = TOP + shown.length * ROW + 34;
  const kind = (id) => (id.startsWith("own") ? "own" : id === "pass-through" ? "base" : "peer");
  const bar = ({ id, title, ratio: { median, low, high } }, index) => {
    const y = TOP + index * ROW;
    const middle = y + ROW / 2 - 3;
    return `  <text x="${LABELS - 8}" y="${y + 15}" text-anchor="end">${escapeXml(title)}</text>
  <rect class="${kind(id)}" x="${LABELS}" y="${y}" width="${(x(median) - LABELS).toFixed(1)}" height="${ROW - 6}" rx="2"/>
  <line class="whisker" x1="${x(low).toFixed(1)}" x2="${x(high).toFixed(1)}" y1="${middle}" y2="${middle}"/>
  <text x="${(x(Math.max(high, median)) + 6).toFixed(1)}" y="${y + 15}">${median.toFixed(2)}</text>`;
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
  <title id="title">CPU time of workerd for each request, as a ratio to a bare JavaScript pass-through</title>
  <style>${STYLE}
  </style>
  <rect class="paper" width="${WIDTH}" height="${height}"/>
  <text class="head" x="16" y="28">CPU time a request, bare JavaScript pass-through = 1.00</text>
  <text class="small" x="16" y="47">Less is better. Medians of rounds in one interleaved run, quartiles as lines. Requests with cf and 12 fields.</text>
  <line class="line" x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="${TOP - 8}" y2="${height - 26}"/>
${shown.map(bar).join("\n")}
</svg>
`;
}
