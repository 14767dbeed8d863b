// Texts that were made once and are good for other requests: bounded, the oldest go first. Plain values, which no request owns.

/**
 * At most `entries` texts, and `characters` in keys and texts together: some callers have long ones.
 * @param {{ entries: number, characters: number }} most
 */
export function textCache(most) {
  /** @type {Map<string, { text: string, until: number }>} */
  const texts = new Map();
  let length = 0;

  return { find, keep, clear };

  /**
   * The text that was kept for `key`, until its time has come.
   * @param {string} key
   */
  function find(key) {
    const entry = texts.get(key);
    return entry !== undefined && Date.now() < entry.until ? entry.text : undefined;
  }

  /**
   * @param {string} key
   * @param {string} text
   * @param {number} until in milliseconds since 1970
   */
  function keep(key, text, until) {
    drop(key);
    texts.set(key, { text, until });
    length += key.length + text.length;
    for (const oldest of texts.keys()) {
      if (texts.size <= most.entries && length <= most.characters) break;
      drop(oldest);
    }
  }

  function clear() {
    texts.clear();
    length = 0;
  }

  /** @param {string} key */
  function drop(key) {
    const entry = texts.get(key);
    if (entry === undefined) return;
    texts.delete(key);
    length -= key.length + entry.text.length;
  }
}
