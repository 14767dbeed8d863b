// What a start of the command line costs: in WebAssembly, natively, and beside a Node that does nothing.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { CLI_WASM, LAUNCHER } from "../../scripts/lib/cli-build.mjs";
import { Failure } from "../../scripts/lib/failure.mjs";
import { inRoot, ROOT } from "../../scripts/lib/paths.mjs";
import { ratio, rounded, spread } from "../lib/statistics.mjs";

/** The native one as it would be shipped. */
export const NATIVE = inRoot("target", "release", "pointsman");

const COMMANDS = [["--version"], ["check"]];

/** A shell's own count of what its children took is the only one that Node can get of programs that have ended. */
const SCRIPT = 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" >/dev/null 2>&1 || exit 1; n=$((n - 1)); done; times';

/**
 * Milliseconds that one start takes, of CPU and by the clock, from several in a row.
 * @param {string[]} command
 * @param {number} count
 */
function measure(command, count) {
  const env = { ...process.env, CLOUDFLARE_ENV: "" };
  const started = performance.now();
  const { status, stdout } = spawnSync("sh", ["-c", SCRIPT, "sh", `${count}`, ...command], {
    cwd: ROOT,
    env,
    encoding: "utf8",
  });
  const elapsed = performance.now() - started;
  if (status !== 0) throw new Failure(`${command.join(" ")} fails`, { advice: ["Run it by hand: it says why."] });
  // The second line: user and system time of the shell's children, "0m0.12s 0m0.03s".
  const spent = [...(stdout.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
  const seconds = spent.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
  return { cpu: (seconds * 1000) / count, elapsed: elapsed / count };
}

/** @param {{ rounds: number, count: number, progress: (text: string) => void }} extent */
export function cli({ rounds, count, progress }) {
  if (!existsSync(CLI_WASM) || !existsSync(NATIVE))
    throw new Failure("the command line is not built", { advice: ["leave --no-build out"] });
  const programs = [
    { id: "node", title: "Node that does nothing", of: [process.execPath, "--eval", "0"] },
    ...COMMANDS.flatMap((args) => [
      { id: `native ${args}`, title: `native, \`${args}\``, of: [NATIVE, ...args] },
      { id: `wasm ${args}`, title: `WebAssembly in Node, \`${args}\``, of: [LAUNCHER, ...args] },
    ]),
  ];
  /** @type {Record<string, { cpu: number, elapsed: number }[]>} */
  const seen = Object.fromEntries(programs.map(({ id }) => [id, []]));
  for (let round = 0; round < rounds; round++) {
    progress(`command line: round ${round + 1} of ${rounds}`);
    for (const { id, of } of programs) seen[id].push(measure(of, count));
  }
  const wasm = readFileSync(CLI_WASM);
  return {
    rounds,
    size: { raw: wasm.length, gzip: gzipSync(wasm, { level: 9 }).length },
    rows: programs.map(({ id, title }) => ({
      id,
      title,
      cpu: rounded(spread(seen[id].map(({ cpu }) => cpu)), 1),
      elapsed: rounded(spread(seen[id].map(({ elapsed }) => elapsed)), 1),
      ratio: rounded(
        ratio(
          seen[id].map(({ cpu }) => cpu),
          seen.node.map(({ cpu }) => cpu),
        ),
      ),
    })),
  };
}
