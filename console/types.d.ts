// What passes between the console's modules, and between the console and the platform.
import type { Context, Hono, Next } from "hono";
import type { HtmlEscapedString } from "hono/utils/html";

/** What `html` makes: text with everything escaped that was put into it. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
/** What may be put into `html`. What is false, null or undefined is left out. */
export type Content = Html | string | number | boolean | null | undefined | Content[];

/** A JSON object of which nothing is known yet. */
export type JsonObject = Record<string, unknown>;

/** What is wrong with a record, as the gateway says it: a JSON Pointer (RFC 6901) and a sentence's end. */
export interface Finding {
  pointer: string;
  message: string;
}
/** What a customer's record means to the gateway. */
export interface Customer {
  id: string;
  environment: string | null;
  disabled: boolean;
  /** Whether a refresh from the config API wrote it. */
  refreshed: boolean;
  backends: { url: string; region: string | null; weight: number | null }[];
  allowedIps: string[] | null;
}
export interface CheckedCustomer {
  findings: Finding[];
  /** There where there are no findings. */
  customer: Customer | null;
}
/** What a key's record means to the gateway. */
export interface Key {
  state: "active" | "disabled" | "expired";
  /** In milliseconds since 1970. */
  expiresAt: number | null;
  allowedIps: string[] | null;
  methods: string[] | null;
}
export interface CheckedKey {
  findings: Finding[];
  /** There where there are no findings. */
  key: Key | null;
  /** What the claims have where the customer is named. */
  customer: string | null;
}
/** What is wrong with a form: the field's id, where there is one, its label and a sentence's end. */
export interface FormFault {
  id?: string;
  label?: string;
  what: string;
}

type OneOrMore<T> = T | T[];

/** gateway.toml as JSON, with presets filled in and ${NAME} unfilled. The build has checked it; this is what the console reads of it. */
export interface Configuration {
  allow_http?: string;
  api_keys?: { prefixes?: string[]; header?: OneOrMore<string>; scheme?: OneOrMore<string>; fresh?: string };
  backends?: Record<string, Backend>;
  conditions?: Record<string, Condition>;
  customers?: { claim?: string; source?: unknown; fresh?: string };
  directory?: { max_staleness?: string };
  issuers?: { issuer: string; tenants?: string[]; header?: OneOrMore<string> }[];
  operator?: { secret?: string; status?: string; ledger?: string };
  regions?: JsonObject;
  routes?: Route[];
}
export type Condition = string | JsonObject;
export interface Origin {
  url: string;
  region?: string;
  weight?: number;
}
export interface Backend {
  url?: string;
  region?: string;
  origins?: OneOrMore<Origin>;
}
export interface Route {
  path: string;
  name?: string;
  methods?: string[];
  auth?: OneOrMore<string>;
  anonymous?: boolean;
  rules: Rule[];
  shadow_rules?: Rule[];
  require?: Condition;
  rewrite?: string;
  limits?: Limit[];
  max_body?: string | number;
  cors?: string;
}
export type Limit = string | Limit[] | { use: string; when?: Condition };
interface RuleBase {
  name: string;
  when?: Condition;
  by?: OneOrMore<string>;
  chosen_by?: OneOrMore<string>;
  within?: OneOrMore<string>;
  unlisted?: string;
}
export type Rule = RuleBase &
  (
    | { to: string; deny?: undefined; split?: undefined }
    | { deny: number; to?: undefined; split?: undefined }
    | { split: { to: string; weight: number }[]; to?: undefined; deny?: undefined }
  );
/** Where a rule leads: a backend's name, "customer", or the status that the gateway answers. */
export interface Target {
  to: string | { deny: number };
  /** Of the callers, where the rule shares them out. */
  share?: string;
}

/** The console's bindings, as the platform gives them: any may be missing. */
export interface Bindings {
  POINTSMAN_KV?: KVNamespace;
  GATEWAY?: Fetcher;
  GATEWAY_URL?: string;
  CONFIGURATION?: string;
  CONSOLE_SECRET?: string;
  OPERATOR_SECRET?: string;
  ACCESS_TEAM_DOMAIN?: string;
  ACCESS_AUD?: string;
  CLOUDFLARE_ACCOUNT_ID?: string;
  METRICS_TOKEN?: string;
  METRICS_DATASET?: string;
  METRICS_API?: string;
  [variable: string]: unknown;
}
export interface Access {
  team: string;
  audience: string;
}
/** Where figures of the traffic are asked: the SQL API of Workers Analytics Engine. */
export interface Metrics {
  /** The API's URL, without a slash at its end. */
  api: string;
  account: string;
  token: string;
  dataset: string;
}
/** By which figures can be asked: the names of crates/pointsman-usage. */
export type Dimension =
  | "backend"
  | "claimedCustomer"
  | "customer"
  | "issuer"
  | "key"
  | "origin"
  | "reason"
  | "route"
  | "rule"
  | "variant"
  | "version";
/** A question of the metrics, as crates/pointsman-usage reads it. Times are in seconds since 1970. */
export interface Question {
  dataset: string;
  from: number;
  until: number;
  by?: Dimension;
  every?: number;
  where?: Partial<Record<Dimension, string[]>>;
  only?: "errors" | "refused" | "failing" | "letIn";
  order?: "requests" | "errors" | "refused" | "lastLetIn";
  limit?: number;
}
/** Figures of a row. Instants are RFC 3339. */
export interface Figures {
  name?: string;
  bucket?: string;
  requests: number;
  errors: number;
  refused: number;
  durationP50?: number;
  durationP95?: number;
  firstSeen?: string;
  lastSeen?: string;
  lastLetIn?: string;
  sampled: boolean;
}
/** A row of requests along several dimensions. Times are in seconds since 1970. */
export type BreakdownRow = { code?: number; at?: number; requests: number; first: number; last: number } & Partial<
  Record<Dimension, string>
>;
/** The bindings after they were checked. */
export interface Settings {
  secret: string;
  access: Access | undefined;
  operatorSecret: string | undefined;
  gatewayUrl: URL;
  configuration: Configuration;
  /** May records name plain http? never, loopback or always; anything else counts as never. */
  allowHttp: string;
  store: KVNamespace;
  gateway: Fetcher;
  /** Undefined where figures cannot be asked. */
  metrics: Metrics | undefined;
  /** The variables that would have to be set for that. */
  metricsLacks: string[];
}
export type Session = { signedIn: true; id: string; csrf: string } | { signedIn: false; id?: undefined; csrf: string };

/** What a request carries from the front door to its page. */
interface Variables {
  configuration: Configuration;
  settings: Settings;
  session: Session;
  /** Who it is by Cloudflare Access, where that stands before the console. */
  accessWho: string | undefined;
  /** Who it is, for the log. */
  who: string;
  /** What a POST sent; its token was checked. */
  form: URLSearchParams;
}
interface Environment {
  Bindings: Bindings;
  Variables: Variables;
}
export type App = Hono<Environment>;
export type Ctx = Context<Environment>;
export type { Next };

/** An entry of KV: its name and its value. */
export interface StoredText {
  name: string;
  text: string;
}
/** A key's record as the gateway reads it. */
export interface KeyRecord extends JsonObject {
  subject: string;
  claims?: JsonObject | null;
  expiresAt?: string | null;
  createdAt?: string | null;
  disabled?: boolean | null;
  allowedIps?: string[] | null;
  methods?: string[] | null;
  name?: string | null;
}
/** A key's entry. The record is there where the text is a JSON object, and a `KeyRecord` where it has no findings. */
export interface KeyEntry extends CheckedKey {
  digest: string;
  text: string;
  record: JsonObject | undefined;
}
export interface UsableKeyEntry extends KeyEntry {
  record: KeyRecord;
  key: Key;
}

/** A customer's record as the gateway reads it. */
export interface CustomerRecord extends JsonObject {
  customerId: string;
  backendUrl?: string | null;
  backends?: Origin[] | null;
  environmentName?: string | null;
  disabled?: boolean | null;
  allowedIps?: string[] | null;
  gone?: boolean | null;
  fetchedAt?: string | null;
}
/** One of a customer's two entries. The record is there where the text is a JSON object. */
export interface CustomerText extends CheckedCustomer {
  name: string;
  text: string;
  record: JsonObject | undefined;
}
/** What counts of a customer's two entries. */
export interface CustomerEntry extends CustomerText {
  id: string;
  /** Whether it is what the config API says. */
  ofApi: boolean;
  /** What the config API says, where that does not count. */
  beside?: CustomerText;
}
/** What customers are read with. */
export interface Reach {
  store: KVNamespace;
  allowHttp: string;
  /** Whether the configuration names a config API. */
  hasSource: boolean;
}

/** Which state of an entry a page showed: its forms send it back. */
export interface Version {
  was: string;
  /** When KV drops the entry, in seconds since 1970, where the store tells that with it. */
  expires?: number;
}
export type StoredKey = KeyEntry & Version & { leaked?: Leaked };
export type StoredCustomer = CustomerEntry & Version;

/** A change of an entry. `was` is the state that the form was shown with; empty where there was none. */
export type Change =
  | { put: string; record: object; was: string; keeps?: { name: string; expires?: number }; remove?: undefined }
  | { remove: string; was: string; put?: undefined };
/** What a change of a customer does to the entries of hosts. `taken`: one of them is another customer's. */
export interface HostsMoved {
  id: string;
  come: string[];
  go: string[];
  taken?: string;
}
/** Changes that are made together, once for each operation. */
export interface Order {
  operation: string;
  actor: string;
  /** The operator's address. */
  from: string;
  changes: Change[];
}
/**
 * What came of an order. `changed`: somebody else changed an entry, and nothing was done. `again`: something else was done by
 * this operation before. `refused`: nothing was done. `unknown`: nobody said whether it was done.
 */
export type Outcome =
  | { done: true; why?: undefined }
  | { done: false; why: "changed" | "again"; what?: undefined }
  | { done: false; why: "refused" | "unknown"; what: string };

/** Where keys and customers are read and changed. */
export interface Records {
  kind: "ledger" | "kv";
  /** Why nothing is changed at the moment, as a sentence. */
  refuses: string | undefined;
  /** Whether an operator switched the ledger off, so that KV decides. */
  isSwitchedOff: boolean;
  /** Whether the ledger has yet to take in what KV has, so that lists lack something. */
  isTakingIn: boolean;
  key(digest: string): Promise<StoredKey | undefined>;
  customer(id: string): Promise<StoredCustomer | undefined>;
  /** A page of keys whose digests begin so. */
  keyPage(order: PageOrder): Promise<{ entries: StoredText[]; cursor: string | undefined }>;
  /** Keys of a customer; `more` where there are more than were looked at. */
  keysOf(id: string): Promise<{ found: KeyEntry[]; more: boolean }>;
  /** A page of customers; of which of the two, where a store has them apart. */
  customerPage(order: {
    ofApi: boolean;
    begin: string;
    cursor: string | undefined;
    limit: number;
  }): Promise<{ customers: CustomerEntry[]; cursor: string | undefined }>;
  /** Customers by a part of their ids, where the store can search; undefined while it cannot. */
  findCustomers?: (order: FindOrder) => Promise<FoundPage<CustomerEntry> | undefined>;
  /** Keys by a part of what they are searched by, as `findCustomers`. */
  findKeys?: (by: "subject" | "customer" | "digest", order: FindOrder) => Promise<FoundPage<KeyEntry> | undefined>;
  change(order: Order): Promise<Outcome>;
}
/** What is searched for, and which page of it. */
export interface FindOrder {
  text: string;
  descending: boolean;
  offset: number;
  limit: number;
}
export interface FoundPage<T> {
  entries: T[];
  /** So many were found, of so many. */
  matching: number;
  total: number;
}
export interface PageOrder {
  begin: string;
  cursor: string | undefined;
  limit: number;
}

/** A record as the ledger's endpoint shows it. */
export interface LookedAt {
  name: string;
  operator?: { text: string; version: number; expires?: number };
  provider?: { text: string; malformed: boolean; unsure: boolean };
  leaked?: Leaked;
}
/** That a key was found where it does not belong: since when that is known, in milliseconds since 1970, and where. */
export interface Leaked {
  at: number;
  found: string;
}
/** A line of the audit trail. */
export interface TrailLine {
  sequence: number;
  /** In milliseconds since 1970. */
  at: number;
  actor: string;
  from?: string;
  operation: string;
  action: string;
  name: string;
}

/** A field of a form. */
export interface Field {
  id: string;
  /** The id, where it is not given. */
  name?: string;
  label: string;
  value?: string;
  hint?: Content;
  fault?: string;
  type?: string;
  required?: boolean;
  optional?: boolean;
  /** Further attributes of the input, by name. */
  more?: Record<string, string>;
  wide?: boolean;
}
/** What a customer's form holds. */
export interface CustomerValues {
  customerId: string;
  environmentName: string;
  backendUrl: string;
  backends: BackendValues[];
  allowedIps: string;
  hosts: string;
  limits: string;
  secrets: string;
  disabled: boolean;
  takeOver: boolean;
}
export interface BackendValues {
  url: string;
  region: string;
  weight: string;
}
/** What a key's form holds. */
export type KeyValues = Record<
  "prefix" | "subject" | "name" | "customer" | "claims" | "expiresAt" | "allowedIps" | "methods",
  string
>;

/** What the gateway said: JSON, other text, or nothing. */
export type Said =
  | { status: number; json: unknown; text?: undefined; failed?: undefined }
  | { status: number; text: string; json?: undefined; failed?: undefined }
  | { failed: string; status?: undefined; json?: undefined; text?: undefined };

/** A request of which the gateway is to say what would become of it. */
export interface RequestToExplain {
  method: string;
  url: URL;
  fields: [name: string, value: string][];
  credential: Credential;
  /** Members of `request.cf`. */
  cf: JsonObject;
}
/** A row of schemas/operands.json: an operand of conditions. */
export interface Operand {
  /** Behind `$`. */
  name: string;
  type: string;
  /** What it is, as a part of a sentence. */
  words: string;
  help: string;
  example: string;
  /** An example of the name that stands behind a colon, where one must. */
  argument?: string;
  /** Its path into `request.cf`, where the platform provides it. */
  cf?: string;
}
export type Credential =
  | { kind: "none" }
  | { kind: "key" | "token"; text: string }
  | { kind: "claims"; claims: JsonObject };

/** The gateway's status document: what the console reads of it. */
export interface StatusDocument {
  version: string;
  configuration: unknown;
  time: string;
  isolate: Isolate;
  bounds?: unknown[];
}
export interface Isolate {
  caches?: Record<string, JsonObject>;
  kv?: Asked;
  config_api?: { form: string; asked?: Asked; scheduled_refresh?: unknown };
  issuers?: Issuer[];
  open_circuits?: { backend: string; origin: string; until: string }[];
}
export interface Issuer {
  name: string;
  keys: unknown;
  state?: string;
  as_of?: string;
  failures_in_a_row: number;
  retry_at?: string;
  asked?: Asked;
}
/** How a source answered of late. */
export interface Asked {
  answered_at?: string;
  last_error?: { time: string; message: string } | null;
}
