// What passes between the parts of the benchmark and its processes.
import type { apply } from "./parts/apply.mjs";
import type { cli } from "./parts/cli.mjs";
import type { cold } from "./parts/cold.mjs";
import type { crossings } from "./parts/crossings.mjs";
import type { diff } from "./parts/diff.mjs";
import type { directory } from "./parts/directory.mjs";
import type { flood } from "./parts/flood.mjs";
import type { instructions } from "./parts/instructions.mjs";
import type { load } from "./parts/load.mjs";
import type { packaged } from "./parts/package.mjs";
import type { profile } from "./parts/profile.mjs";
import type { scaling } from "./parts/scaling.mjs";
import type { sideBySide } from "./parts/side-by-side.mjs";
import type { size } from "./parts/size.mjs";

/** What was measured, by part. */
export interface Results {
  size?: ReturnType<typeof size>;
  "side-by-side"?: Awaited<ReturnType<typeof sideBySide>>;
  scaling?: Awaited<ReturnType<typeof scaling>>;
  directory?: Awaited<ReturnType<typeof directory>>;
  apply?: Awaited<ReturnType<typeof apply>>;
  diff?: Awaited<ReturnType<typeof diff>>;
  flood?: Awaited<ReturnType<typeof flood>>;
  cold?: Awaited<ReturnType<typeof cold>>;
  cli?: ReturnType<typeof cli>;
  package?: Awaited<ReturnType<typeof packaged>>;
  crossings?: Awaited<ReturnType<typeof crossings>>;
  profile?: Awaited<ReturnType<typeof profile>>;
  instructions?: Awaited<ReturnType<typeof instructions>>;
  load?: Awaited<ReturnType<typeof load>>;
}

/** A figure with its quartiles. */
export interface Figure {
  median: number;
  low: number;
  high: number;
}

/** A module of a Worker: a file, or its text. */
export type WorkerModule =
  | { name: string; path: string; text?: undefined }
  | { name: string; text: string; path?: undefined };

/** What workerd is started with. */
export interface WorkerSettings {
  /** The main module first. A name that ends in .wasm is one of those. */
  modules: WorkerModule[];
  /** Bindings of text by name. */
  texts?: Record<string, string>;
  /** The port that every call of fetch goes to, whatever its URL. */
  origin: number;
  /** What the KV stub is told, or nothing for a Worker without it. */
  kv?: object;
  /** The port of a KV elsewhere. */
  kvPort?: number;
  /** Binds a rate limit, LIMIT. */
  limit?: boolean;
  /** Binds a dataset of metrics, METRICS. */
  metrics?: boolean;
  /** Binds LEDGER to the class Ledger of the main module. */
  ledger?: boolean;
  /** Compatibility flags. */
  flags?: string[];
  /** Flags of the engine. */
  v8Flags?: string[];
  /** Opens the inspector; `inspectorUrl` says where. */
  inspector?: boolean;
}

/** Which credentials a load sends. */
export interface CredentialOrder {
  kind: string;
  count?: number;
  from?: number;
  /** Further claims of a token. */
  claims?: object;
}
/** What the load generator is asked for. */
export interface LoadOrder {
  port: number;
  /** What stands before and after the credential. */
  head: { before: string; after: string };
  credentials?: CredentialOrder;
  connections?: number;
  /** So many requests, or as many as go into `seconds`. */
  count?: number;
  seconds?: number;
  /** Gives the last answer's body. */
  keepBody?: boolean;
  /** Statuses that are no failure; none lets all pass. */
  allowed?: number[];
}
/** What a load is sent to, with what. */
export interface Lane {
  id: string;
  worker: { port: number; cpu(): number };
  order: Omit<LoadOrder, "port">;
}

/** What became of a load. */
export interface LoadSeen {
  requests: number;
  failed: number;
  milliseconds: number;
  statuses: Record<string, number>;
  odd?: string;
  body?: string;
  cpu: number;
  p50: number;
  p99: number;
  error?: undefined;
}

/** What a figure may be. */
export interface Budget {
  title: string;
  unit: string;
  budget: number;
  stretch?: number;
}
