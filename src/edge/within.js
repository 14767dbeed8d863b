// A promise and a limit of time.

/**
 * What a promise brings, or an error where it takes longer than `timeout` milliseconds.
 * @template T
 * @param {number} timeout
 * @param {Promise<T>} promise
 */
export async function within(timeout, promise) {
  /** @type {number | null} */
  let timer = null;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
