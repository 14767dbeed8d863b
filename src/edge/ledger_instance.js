// The one instance of the ledger's wasm in an isolate: made when an object of the ledger first needs it, so that an isolate
// that only answers requests never pays for it, and thrown away after a trap.

/**
 * @typedef {object} Instance
 * @property {<Result>(call: (generation: number) => Result) => Result} enter calls into the wasm. `generation` is another
 *   number for each instance: what was made in one before is of no use
 */

/**
 * A call that throws may have left the wasm's memory in the middle of something: the next call gets a new instance. Nothing
 * is lost with the old one, since the storage holds everything.
 * @param {{ start: () => void, reset: () => void }} wasm
 * @returns {Instance}
 */
export function makeInstance({ start, reset }) {
  let generation = 0;
  let isWhole = false;
  return {
    enter(call) {
      if (!isWhole) {
        if (generation === 0) start();
        else reset();
        generation += 1;
      }
      // Until the call has come back, nobody knows that it will.
      isWhole = false;
      const result = call(generation);
      isWhole = true;
      return result;
    },
  };
}
