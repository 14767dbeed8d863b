import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";

const root = new URL("../../../", import.meta.url);

export const path = (name) => fileURLToPath(new URL(name, root));
export const text = (name) => readFileSync(new URL(name, root), "utf8");
export const json = (name) => JSON.parse(text(name));

/** A configuration as the GATEWAY variable wants it. */
export const gatewayJson = (toml) => JSON.stringify(parse(toml));

/** gateway.toml for "demo", else fixtures/gateways/<name>.toml. */
export const gatewayToml = (name) => text(name === "demo" ? "gateway.toml" : `fixtures/gateways/${name}.toml`);
