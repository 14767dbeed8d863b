// All keys and customers as shards, written by the ledger's own encoder, and a KV that has them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../../scripts/lib/failure.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { discard } from "./processes.mjs";

/** @import { AddressInfo } from "node:net" */

/** A folder with a head and the shards that it names, of so many keys and as many customers. */
export function writeShards(customers) {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-shards-"));
  discard(folder);
  const args = ["run", "--quiet", "--release", "--example", "directory", "--", "--write", folder, `${customers}`];
  const { status } = spawnSync("cargo", args, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Failure("the shards could not be written");
  return folder;
}

/** A shard's name without its epoch, which the Worker under test draws anew: the bytes are the same in each. */
const file = (folder, name) =>
  join(
    folder,
    /^head$/.test(name)
      ? name
      : name.replace(/^directory:[0-9a-f]+/, `directory:${"01".repeat(16)}`).replaceAll(":", "_"),
  );

/** Answers what that folder has, as KV does. */
export async function serveShards(folder) {
  const server = createServer((request, response) => {
    const name = decodeURIComponent(/^\/([^?]*)/.exec(request.url ?? "")?.[1] ?? "");
    const path = file(folder, name);
    if (!/^(head|directory:[\w.:]+)$/.test(name) || !existsSync(path)) response.writeHead(404).end();
    else response.end(readFileSync(path));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {AddressInfo} */ (server.address());
  return { port, stop: () => new Promise((resolve) => server.close(resolve)) };
}
