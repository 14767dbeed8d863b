// The operators' console, a Worker of its own: `npx wrangler deploy --env console`. See docs/console.md.
import wasm from "../build/console/index_bg.wasm";
// Its text: as an object of JavaScript it would have lost digits.
import configuration from "../build/gateway.json";
import problems from "../docs/problems.md";
import { createConsole } from "./app.js";
import script from "./assets/comfort.client.js";
import style from "./assets/console.css";
import icon from "./assets/icon.svg";
import { startCore } from "./core.js";
import { parseToShow } from "./json.js";

startCore(wasm);

/** @import { Bindings, Configuration } from "./types.d.ts" */

const app = createConsole({
  configuration: /** @type {Configuration} */ (parseToShow(configuration)),
  assets: [
    ["/assets/console.css", "text/css", style],
    ["/assets/comfort.js", "text/javascript", script],
    ["/assets/icon.svg", "image/svg+xml", icon],
  ],
  problems,
});

/** @type {ExportedHandler<Bindings>} */
export default { fetch: (request, env, context) => app.fetch(request, env, context) };
