// A Rate Limiting binding for workerd, which has none of its own: counts in memory, and lets everybody pass. On the real
// network the platform's own counter stands here.
/** @type {Map<string, number>} */
const counts = new Map();

export default () => ({
  /** @param {{ key: string }} caller */
  async limit({ key }) {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return { success: true };
  },
});
