// What passes between the demo's modules, and between the demo, the scripts and the tests.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JWK } from "jose";
import type { MiniflareOptions, WorkerOptions } from "miniflare";

/** What the world notes of a request that arrived. */
export interface Arrival {
  host: string;
  /** Of the demo's backends, the one that the host names. */
  backend: string | undefined;
  method: string | undefined;
  url: string;
  headers: [name: string, value: string][];
  /** What the body held, filled in while an echo backend reads it. */
  bodyBytes: number;
  bodySha256: string | undefined;
}

/** Answers in a host's place. */
export type Handler = (request: IncomingMessage, response: ServerResponse, arrival: Arrival) => unknown;

/** Gets each request first; `response` is not there where another protocol is asked for. */
export type Intercept = (
  request: IncomingMessage,
  response: ServerResponse | undefined,
  next: () => unknown,
) => Promise<unknown>;

/** A customer as the config API lists it. */
export interface Customer {
  customerId: string;
  [member: string]: unknown;
}
export interface ConfigApi {
  /** These three may be changed as it goes. */
  customers: Customer[];
  token: string;
  etags: boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export interface Issuer {
  /** These two may be changed as it goes. */
  jwks: { keys: JWK[] };
  discovery: Record<string, unknown>;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export interface World {
  configApi: ConfigApi;
  issuer: Issuer;
  /** What arrived, the oldest first. */
  requests: Arrival[];
  /** `host:port`, once it is started. */
  address: string;
  /** Where each backend can be called directly. */
  backends: { backend: string; host: string; url: string }[];
  start(): Promise<World>;
  stop(): Promise<void>;
  /** Puts a handler in a host's place until `restore`. */
  replace(host: string, handler: Handler): void;
  restore(): void;
  clear(): void;
}

/** What is read of wrangler.toml. */
export interface WranglerSettings {
  name: string;
  compatibility_date: string;
  compatibility_flags: string[];
  vars?: Record<string, string>;
  kv_namespaces?: { binding: string; id: string }[];
  durable_objects?: { bindings: { name: string; class_name: string; script_name?: string }[] };
  env: { console: { compatibility_flags: string[]; vars?: Record<string, string> } };
}

/** What may change while a gateway runs. */
export interface Changeable {
  /** Variables over those of wrangler.toml and the demo's secrets; undefined removes one. */
  bindings?: Record<string, string | undefined>;
  /** The configuration in checked form, in place of the one that stands in the folder. */
  gateway?: string;
  /** Options of Miniflare over those made here. */
  overrides?: Partial<MiniflareOptions>;
  /** Further Workers beside it. */
  workers?: WorkerOptions[];
}
export interface GatewayOptions extends Changeable {
  /** Where `npm run build` put the Worker. */
  folder?: string;
  /** Gets every outbound call. It must be started. */
  world: World;
  port?: number;
  host?: string;
  /** A folder for KV; none keeps it in memory. */
  persist?: string;
  /** The same for Durable Objects. */
  persistObjects?: string;
  /** Gets each line that the Worker or the runtime writes. */
  onLog?: (line: string, stream: "out" | "err") => void;
}

/** One of the demo's API keys, in clear. */
export interface DemoKey {
  name: string;
  about: string;
  key: string;
  record: object;
}

/** A request that `npm start` offers to paste, or the title of those that follow. */
export type Example = ExampleGroup | ExampleRequest;
export interface ExampleGroup {
  group: string;
}
export interface ExampleRequest {
  group?: undefined;
  about: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** The name of the backend that answers, or the status that the gateway answers. */
  expect: string | number;
  /** Within how many seconds that is so; at once where it does not say. */
  within?: number;
}

/** A point of metrics, as the gateway writes it: docs/metrics.md. */
export interface MetricsPoint {
  indexes: [string];
  blobs: string[];
  doubles: number[];
}
