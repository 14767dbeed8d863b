// What the build puts in the place of modules, as wrangler.toml says; generated files; and what the runtime has beyond
// TypeScript's library.

/** The checked configuration, as text: as an object of JavaScript it would have lost digits. */
declare module "*/build/gateway.json" {
  const text: string;
  export default text;
}
/** The registry of operands, which `pointsman schema --write schemas` writes. */
declare module "*/schemas/operands.json" {
  const operands: import("./types.d.ts").Operand[];
  export default operands;
}
/** Countries as the platform names them, which `pointsman schema --write schemas` writes: by their codes. */
declare module "*/schemas/countries.json" {
  const countries: Record<string, { name: string; continent: string; eu?: true }>;
  export default countries;
}
/** The functions that enter the core's wasm, as wasm-bindgen makes them of crates/pointsman-js; the build has them. */
declare module "#pointsman-js" {
  /** Makes the instance. */
  export function initSync(source: { module: WebAssembly.Module | BufferSource }): unknown;
  /** Makes another instance. */
  export function __wbg_reset_state(): void;
  export function checkCustomer(json: string, id: string, allowHttp: string): string;
  export function checkKey(json: string, customerClaim: string, now: number): string;
  export function entryNames(): string;
  export function isCustomerId(text: string): boolean;
  export function isKey(text: string, prefix: string): boolean;
  export function isOperatorSecret(text: string): boolean;
  export function keyEntry(key: string): string;
  export function millisOf(instant: string): number | undefined;
  export function mintKey(prefix: string, random: Uint8Array): string | undefined;
  export function network(address: string): string;
  export function objectError(json: string): string | undefined;
  export function usageBreakdown(question: string, answer: string): string;
  export function usageBreakdownQuery(question: string): string;
  export function usageFigures(question: string, answer: string): string;
  export function usageQuery(question: string): string;
}
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.md" {
  const text: string;
  export default text;
}
declare module "*.svg" {
  const text: string;
  export default text;
}

/** A number that is kept as it was written (ECMAScript, "JSON.parse source text access"). */
interface RawJSON {
  readonly rawJSON: string;
}
interface JSON {
  rawJSON(text: string): RawJSON;
  isRawJSON(value: unknown): value is RawJSON;
  parse(text: string, reviver: (name: string, value: unknown, context: { source: string }) => unknown): unknown;
}
