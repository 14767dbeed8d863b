// The console beside the built gateway, in the demo's world; and a client that keeps cookies, as a browser does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../../demo/analytics/stand-in.mjs";
import { CONSOLE, CONSOLE_SECRET, consoleWorker } from "../../../demo/console.mjs";
import { datasetBinding, datasetWorker } from "../../../demo/dataset.mjs";
import { OPERATOR_SECRET, startGateway } from "../../../demo/gateway.mjs";
import { seed } from "../../../demo/seed.mjs";
import { createWorld } from "../../../demo/world.mjs";
import { bundleConsole } from "../../../scripts/lib/console-bundle.mjs";
import { checkedForm } from "../../../scripts/lib/pointsman.mjs";
import { CORE } from "./core.mjs";

const toml = parse(readFileSync(new URL("../../../gateway.toml", import.meta.url), "utf8"));
// With what Explain and Health need.
const withOperator = {
  ...toml,
  operator: { ...toml.operator, status: "/gateway/status", secret: "${OPERATOR_SECRET}" },
};

export { withOperator };
export const LEDGER_PATH = "/gateway/ledger";
/** The same, with the ledger's path: the console goes through the ledger. */
export const withLedger = { ...withOperator, operator: { ...withOperator.operator, ledger: LEDGER_PATH } };

/**
 * Starts both. `bindings` are the console's variables over the demo's; `gateway` a function (request) → response in the
 * gateway's place; `outbound` the address that the console's calls of the network go to, the world's where it is left out. With
 * `metrics` the gateway writes points, and the console asks them; `analytics` is where they are.
 */
export async function openConsole({
  configuration = withOperator,
  bindings = {},
  gateway,
  outbound,
  metrics = false,
} = {}) {
  const world = await createWorld().start();
  const analytics = metrics ? new AnalyticsStandIn() : undefined;
  if (analytics !== undefined)
    world.replace("api.cloudflare.com", (request, response) => analytics.handle(request, response));
  const logged = [];
  const folder = fileURLToPath(CORE);
  const script = await bundleConsole(JSON.stringify(configuration), folder);
  const worker = consoleWorker({
    folder,
    script,
    bindings: {
      OPERATOR_SECRET,
      ...(analytics && { CLOUDFLARE_ACCOUNT_ID: ACCOUNT, METRICS_TOKEN: TOKEN }),
      ...bindings,
    },
    serviceBindings: gateway && { GATEWAY: gateway },
    outboundService: { external: { address: outbound ?? world.address, http: {} } },
  });
  for (const [name, value] of Object.entries(worker.bindings)) if (value === undefined) delete worker.bindings[name];
  const started = await startGateway({
    world,
    gateway: checkedForm(JSON.stringify(configuration === withLedger ? withLedger : withOperator)),
    workers: [worker, ...(analytics ? [datasetWorker((point) => analytics.write(point))] : [])],
    overrides: analytics && datasetBinding,
    onLog: (line) => logged.push(line),
  });
  await seed(await started.kv());
  const origin = (await started.miniflare.unsafeGetDirectURL(CONSOLE)).origin;
  return {
    origin,
    world,
    gatewayUrl: started.url,
    kv: () => started.kv(),
    /** The Worker itself, to be asked at any address. */
    analytics,
    /** Deploys another configuration of the gateway: a new isolate. */
    deploy: (/** @type {object} */ other) => started.reload({ gateway: checkedForm(JSON.stringify(other)) }),
    worker: () => started.miniflare.getWorker(CONSOLE),
    /** All lines of the log so far. A line is there when the answer is; this waits for the pipe. */
    async log() {
      await new Promise((resolve) => setImmediate(resolve));
      return logged.join("\n");
    },
    async logged(pattern) {
      for (let i = 0; i < 400; i++) {
        const line = logged.find((one) => pattern.test(one));
        if (line) return line;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new assert.AssertionError({ message: `no line of the log matches ${pattern}:\n${logged.join("\n")}` });
    },
    client: (options) => createClient(origin, options),
    async signedIn(options) {
      const client = createClient(origin, options);
      await client.signIn();
      return client;
    },
    async stop() {
      await started.stop();
      await world.stop();
      await analytics?.stop();
    },
  };
}

const unescaped = (text) =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

/** The hidden fields of the form with that action. */
export function hiddenOf(text, action) {
  const start = [...text.matchAll(/<form method="post" action="([^"]*)"/g)].find(
    ([, own]) => unescaped(own) === action,
  );
  assert.ok(start, `no form for ${action} in:\n${text}`);
  const inner = text.slice(start.index, text.indexOf("</form>", start.index));
  return Object.fromEntries(
    [...inner.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [
      name,
      unescaped(value),
    ]),
  );
}

/** `fields` go with every request. */
export function createClient(origin, { fields = {} } = {}) {
  const cookies = new Map();
  const client = {
    cookies,
    async send(path, { method = "GET", headers = {}, body } = {}) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const answer = await fetch(`${origin}${path}`, {
        method,
        redirect: "manual",
        body,
        headers: { ...fields, ...(cookie && { cookie }), ...headers },
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        cookies.set(name, value);
      }
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, location: answer.headers.get("location"), text };
    },
    get: (path) => client.send(path),
    /** Sends a form as it is given. */
    post: (path, values, headers = {}) =>
      client.send(path, {
        method: "POST",
        body: new URLSearchParams(values).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded", origin, ...headers },
      }),
    /** Loads `page`, fills in its form for `action` and sends it. */
    async submit(page, values, action = page) {
      const { text } = await client.get(page);
      return client.post(action, { ...hiddenOf(text, action), ...values });
    },
    async signIn(secret = CONSOLE_SECRET) {
      const answer = await client.submit("/sign-in", { secret });
      assert.equal(answer.status, 303, answer.text);
      return answer;
    },
  };
  return client;
}
