// What passes between the modules of the stand-in for Workers Analytics Engine.

/** A data point, as `writeDataPoint` takes it. */
export interface Point {
  indexes?: (string | null)[];
  blobs?: (string | null)[];
  doubles?: number[];
  /** For tests: when it was written, as milliseconds since 1970 or RFC 3339. Without it: now. */
  timestamp?: number | string;
}

export interface StandInOptions {
  /** The account in the URL; any other is 403. */
  account?: string;
  /** The bearer token that is asked for. */
  token?: string;
  /** The data set of points that name none. */
  dataset?: string;
  /** Of so many points of one index, one is kept, and stands for all. */
  sampling?: number;
  /** A file that keeps the points; none keeps them in memory. */
  file?: string;
  /** What time it is, in milliseconds since 1970. */
  now?: () => number;
}

/** Types of the dialect, as far as the stand-in tells them apart. */
export type Type = "String" | "Float64" | "UInt8" | "UInt32" | "UInt64" | "Bool" | "DateTime" | "Interval";

/** An expression, without aliases: these were replaced by what they stand for. */
export type Expression =
  | { kind: "column"; name: string }
  | { kind: "literal"; type: Type; value: string | number }
  | { kind: "call"; name: string; parameters: Expression[]; given: Expression[]; distinct: boolean }
  | { kind: "operator"; operator: string; given: Expression[] };

/** An expression that may name aliases. */
export type Parsed =
  | { kind: "name"; name: string }
  | { kind: "literal"; type: Type; value: string | number }
  | { kind: "call"; name: string; parameters: Parsed[]; given: Parsed[]; distinct: boolean }
  | { kind: "operator"; operator: string; given: Parsed[] };

export interface Select {
  columns: { name: string; expression: Parsed }[];
  from: string;
  where: Parsed | undefined;
  groupBy: Parsed[];
  having: Parsed | undefined;
  orderBy: { expression: Parsed; descending: boolean }[];
  limit: number | undefined;
  offset: number | undefined;
  format: string;
}

/** What SQLite is asked, and what the columns of its answer are. */
export interface Translated {
  sql: string;
  table: string;
  columns: { name: string; type: Type }[];
  format: string;
}

/** A function of the dialect: its type, and what SQLite is asked instead. */
export interface DialectFunction {
  aggregate?: boolean;
  /** How many arguments it takes, at least and at most. */
  takes: [number, number];
  /** How many parameters stand in parentheses of their own before the arguments. */
  parameters?: number;
  type: (given: Type[]) => Type;
  sql: (given: string[], parameters: string[]) => string;
}
