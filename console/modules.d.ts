// What the build puts in the place of modules, as wrangler.toml says; and what the runtime has beyond TypeScript's library.

/** The checked configuration, as text: as an object of JavaScript it would have lost digits. */
declare module "*/build/gateway.json" {
  const text: string;
  export default text;
}
declare module "*.css" {
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
