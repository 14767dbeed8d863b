import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";

const root = new URL("../../../", import.meta.url);

export const path = (name) => fileURLToPath(new URL(name, root));
export const text = (name) => readFileSync(new URL(name, root), "utf8");
export const json = (name) => JSON.parse(text(name));

/** A configuration as JSON text, with all digits of numbers above 2^53. */
export const gatewayJson = (toml) => {
  const marked = (name, value) => (typeof value === "bigint" ? `whole number ${value}` : value);
  return JSON.stringify(parse(toml, { integersAsBigInt: "asNeeded" }), marked).replace(/"whole number (-?\d+)"/g, "$1");
};

/** gateway.toml for "demo", else fixtures/gateways/<name>.toml. */
export const gatewayToml = (name) => text(name === "demo" ? "gateway.toml" : `fixtures/gateways/${name}.toml`);
