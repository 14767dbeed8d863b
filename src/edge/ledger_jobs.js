// What the ledger asks of the outside: which operation of KV each of its jobs is.
import { split } from "./ledger_frames.js";

/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;

export const readJobs = (bytes) => split(bytes);
export const carryOut = async () => ({});
