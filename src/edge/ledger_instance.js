// The one instance of the ledger's wasm in an isolate: made when an object of the ledger first needs it, so that an isolate
// that only answers requests never pays for it, and thrown away after a trap.

/**
 * Gives a function that calls into the wasm. A call that throws may have left the wasm's memory in the middle of something:
 * the next call gets a new instance. Nothing is lost with the old one, since the storage holds everything.
 * @param {{ start: () => void, reset: () => void }} instance
 * @returns {<Result>(call: () => Result) => Result}
 */
export function keepWhole({ start, reset }) {
  /** @type {"none" | "whole" | "suspect"} */
  let state = "none";
  return (call) => {
    if (state === "none") start();
    else if (state === "suspect") reset();
    // Until the call has come back, nobody knows that it will.
    state = "suspect";
    const result = call();
    state = "whole";
    return result;
  };
}
