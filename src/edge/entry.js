// The Worker's main module in this repository: as a user's own, but for the build's name of the configuration.
import configuration from "pointsman:configuration";
import { gateway } from "./worker.js";

export { Ledger, Quota } from "./worker.js";
export default gateway(configuration);
