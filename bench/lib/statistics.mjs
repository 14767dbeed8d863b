// Medians and spreads. Machines are noisy: nothing here is a mean.

/** The value below which that share of them lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

export const median = (values) => quantile(values, 0.5);

/** { median, low, high }: the median and the quartiles. */
export const spread = (values) => ({
  median: median(values),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
});

/** The ratios of what was measured in the same rounds. */
export const ratio = (values, base) => spread(values.map((value, round) => value / base[round]));

/**
 * How far a median of so many ratios may be off, as a share of it, from the ratios of a Worker to itself: by how much
 * theirs misses 1, or by the notch of a box plot (McGill, Tukey and Larsen 1978), whichever is more.
 */
export const noise = ({ median, low, high }, count) =>
  Math.max(Math.abs(median - 1), (1.57 * (high - low)) / Math.sqrt(count));

/** The same with so many digits behind the point. */
export function rounded({ median, low, high }, digits = 3) {
  const cut = (value) => Number(value.toFixed(digits));
  return { median: cut(median), low: cut(low), high: cut(high) };
}
