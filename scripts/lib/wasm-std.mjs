// The standard library for a wasm32 target, from the first of: the active toolchain, rustup's download, Debian's sources.
import { existsSync, readdirSync } from "node:fs";
import { haveApt } from "./apt.mjs";
import { installSysroot, readySysroot } from "./debian-sysroot.mjs";
import { Failure } from "./failure.mjs";
import { ask, attempt, which } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { WASI_TARGET, WASM_TARGET } from "./versions.mjs";

const RUSTUP_TIME_LIMIT = 180_000;

/**
 * Whether the ordinary toolchain can build for the target as it is.
 * @param {string} target
 */
function activeToolchainHasIt(target) {
  const folder = ask("rustc", ["--print", "target-libdir", "--target", target]);
  return folder !== undefined && existsSync(folder) && readdirSync(folder).some((file) => file.startsWith("libstd-"));
}

/**
 * What the wasm build must add to its environment; undefined if there is no standard library yet.
 * @param {string} [target]
 * @returns {Record<string, string> | undefined}
 */
export function wasmToolchain(target = WASM_TARGET) {
  // Setting the variable to "debian" is for testing that way on a machine that does not need it.
  if (process.env.POINTSMAN_WASM_STD !== "debian" && activeToolchainHasIt(target)) return {};
  return readySysroot(target);
}

/** @param {string} target */
async function byRustup(target) {
  if (process.env.POINTSMAN_WASM_STD === "debian" || !which("rustup")) return false;
  const elapsed = stopwatch();
  say(`standard library for wasm: rustup target add ${target} (20 MB)`);
  const { ok, tail, timedOut } = await attempt("rustup", ["target", "add", target], {
    env: { ...process.env, RUSTUP_MAX_RETRIES: process.env.RUSTUP_MAX_RETRIES ?? "1" },
    timeout: RUSTUP_TIME_LIMIT,
  });
  if (ok && activeToolchainHasIt(target)) {
    note(`done in ${elapsed()}`);
    return true;
  }
  const reason = timedOut
    ? "no answer in time"
    : (tail.find((line) => /could not|failed|error: ./i.test(line)) ?? "no reason given").trim();
  note(`rustup could not get it after ${elapsed()}: ${reason}`);
  return false;
}

/**
 * Makes sure that there is a standard library for wasm32.
 * @param {string} [target]
 */
export async function wasmStd(target = WASM_TARGET) {
  if (wasmToolchain(target)) return;
  if (await byRustup(target)) return;
  if (!haveApt()) {
    throw new Failure(`no standard library of Rust for ${target}`, {
      advice: ["By hand, with a network that reaches rustup's servers:", `  rustup target add ${target}`],
    });
  }
  await installSysroot(target);
}

/** As `wasmStd`, for the command line. */
export const wasiStd = () => wasmStd(WASI_TARGET);
