// node examples/self-service/main.mjs: the page over the demo that `npm start` serves, or over a gateway of yours.
import { SELF_SERVICE_KEY } from "../../demo/seed.mjs";
import { selfService } from "./server.mjs";

const api = process.env.POINTSMAN_API ?? "http://127.0.0.1:8787/gateway/api";
const rootKey = process.env.POINTSMAN_ROOT_KEY ?? SELF_SERVICE_KEY;
const port = Number(process.env.PORT ?? 8790);

selfService({ api, rootKeyOf: () => rootKey }).listen(port, "127.0.0.1", () => {
  console.log(`API keys of acme-corp: http://127.0.0.1:${port} (the API is ${api})`);
});
