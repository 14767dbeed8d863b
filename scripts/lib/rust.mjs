import { readFileSync } from "node:fs";
import { Failure } from "./failure.mjs";
import { inRoot } from "./paths.mjs";
import { ask, attempt, which } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";

const FILE = "rust-toolchain.toml";
const INSTALL_TIME_LIMIT = 300_000;

function channel() {
  const [, name] = /^channel = "([^"]+)"/m.exec(readFileSync(inRoot(FILE), "utf8")) ?? [];
  if (!name) throw new Failure(`${FILE} names no channel`);
  return name;
}
/** @type {(more: Record<string, string>) => boolean} */
const runs = (more) => ask("rustc", ["--version"], { env: { ...process.env, ...more } }) !== undefined;

/**
 * Stops early, and says how to go on, where there is no Rust. Where rustup neither has nor gets the toolchain that
 * rust-toolchain.toml names, its default one is used, by this script and by all that it calls.
 */
export async function needRust() {
  const missing = ["cargo", "rustc"].filter((program) => !which(program));
  if (missing.length > 0) {
    throw new Failure(`${missing.join(" and ")} not found on PATH`, {
      advice: ["Install Rust with rustup (https://rustup.rs), open a new shell and try again."],
    });
  }
  // Asking must not start a download, which would say nothing while it goes on.
  if (runs({ RUSTUP_AUTO_INSTALL: "0" })) return;
  if (!which("rustup")) throw new Failure("rustc --version fails", { advice: ["Run it by hand: it says why."] });
  const wanted = process.env.RUSTUP_TOOLCHAIN;
  if (wanted)
    throw new Failure(`Rust's toolchain ${wanted} is not installed, and RUSTUP_TOOLCHAIN names it`, {
      advice: [`rustup toolchain install ${wanted}`],
    });
  if (await byRustup()) return;
  settleForDefault();
}

async function byRustup() {
  // Who sets this wants no toolchain downloaded.
  if (process.env.RUSTUP_AUTO_INSTALL === "0") return false;
  const elapsed = stopwatch();
  say(`Rust's toolchain ${channel()}, which ${FILE} names: rustup toolchain install`);
  const parts = ["--profile", "minimal", "--component", "clippy", "--component", "rustfmt"];
  // rustup would bring itself up to date, too: that is not ours to do.
  const { ok } = await attempt("rustup", ["toolchain", "install", channel(), "--no-self-update", ...parts], {
    env: { ...process.env, RUSTUP_MAX_RETRIES: process.env.RUSTUP_MAX_RETRIES ?? "1" },
    timeout: INSTALL_TIME_LIMIT,
  });
  note(ok ? `done in ${elapsed()}` : `rustup could not get it after ${elapsed()}`);
  return ok && runs({ RUSTUP_AUTO_INSTALL: "0" });
}

function settleForDefault() {
  const other = ask("rustup", ["default"])?.split(" ")[0];
  if (!other || !runs({ RUSTUP_TOOLCHAIN: other })) {
    throw new Failure(`no toolchain of Rust's is installed that can be used: ${FILE} names ${channel()}`, {
      advice: [`rustup toolchain install ${channel()}`],
    });
  }
  process.env.RUSTUP_TOOLCHAIN = other;
  note(
    `Rust's toolchain ${other} is used, rustup's default, in place of ${channel()}. For cargo by hand: export RUSTUP_TOOLCHAIN=${other}`,
  );
}
