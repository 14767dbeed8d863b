// Where rustup can't download: Debian's rustc with a wasm32 standard library built from Debian's own sources, in a
// private sysroot. Neither the user's rustup nor anything under /usr is changed beyond the Debian packages.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { aptInstall } from "./apt.mjs";
import { Failure } from "./failure.mjs";
import { tilde, toolsFolder } from "./paths.mjs";
import { ask, must } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { DEBIAN_RUST, WASM_TARGET } from "./versions.mjs";

const RUSTC = "/usr/bin/rustc";
const CARGO = "/usr/bin/cargo";
const LINKER = "/usr/bin/wasm-ld-19";
const STD_SOURCES = "/usr/lib/rustlib/src/rust/library/std";

const folder = () => join(toolsFolder(), "rust-wasm32");
const stampFile = () => join(folder(), "built-by");
// rlibs only work with the very compiler that made them, so an upgraded Debian package means another build.
const compiler = () => (existsSync(RUSTC) ? ask(RUSTC, ["-vV"]) : undefined);

/** @type {(bin: string) => Record<string, string>} */
const environment = (bin) => ({
  PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter),
  RUSTC: join(bin, "rustc"),
  CARGO: CARGO,
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: LINKER,
});

/** The environment that makes cargo use the private sysroot, or undefined if it is not there or out of date. */
export function readySysroot() {
  if (!existsSync(stampFile()) || ![CARGO, LINKER].every(existsSync)) return undefined;
  if (readFileSync(stampFile(), "utf8") !== compiler()) return undefined;
  return environment(join(folder(), "bin"));
}

/** Installs Debian's Rust where needed and builds std for wasm32 with it. */
export async function installSysroot() {
  if (![RUSTC, CARGO, LINKER, STD_SOURCES].every(existsSync)) {
    const elapsed = stopwatch();
    say(`Debian's Rust with the sources of std: ${DEBIAN_RUST.join(" ")} (by apt-get, about 1 minute)`);
    await aptInstall(DEBIAN_RUST, "The wasm32 standard library");
    note(`done in ${elapsed()}`);
  }
  const elapsed = stopwatch();
  say(`wasm32 standard library, built from those sources → ${tilde(folder())} (about 1 minute)`);
  mkdirSync(toolsFolder(), { recursive: true });
  // Built beside its place and moved there whole: an interrupted run leaves nothing that looks finished.
  const fresh = mkdtempSync(join(toolsFolder(), "rust-wasm32."));
  try {
    await buildStd(fresh);
    rmSync(folder(), { recursive: true, force: true });
    writeSysroot(fresh);
    renameSync(fresh, folder());
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  note(`done in ${elapsed()}`);
}

/**
 * Compiles std for an empty library and leaves the rlibs in `<into>/sysroot/lib/rustlib/<target>/lib`.
 * @param {string} into
 */
async function buildStd(into) {
  const crate = join(into, "empty");
  mkdirSync(join(crate, "src"), { recursive: true });
  writeFileSync(
    join(crate, "Cargo.toml"),
    '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n',
  );
  writeFileSync(join(crate, "src", "lib.rs"), "");
  await must("building std", CARGO, ["build", "--release", "--target", WASM_TARGET, "-Zbuild-std=std,panic_abort"], {
    cwd: crate,
    env: {
      ...process.env,
      RUSTC,
      // -Zbuild-std is not a stable option.
      RUSTC_BOOTSTRAP: "1",
      // Without bitcode in the rlibs, a release build with LTO fails.
      RUSTFLAGS: "-Cembed-bitcode=yes",
      CARGO_TARGET_DIR: join(crate, "target"),
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: LINKER,
    },
  });
  const made = join(crate, "target", WASM_TARGET, "release", "deps");
  const lib = join(into, "sysroot", "lib", "rustlib", WASM_TARGET, "lib");
  mkdirSync(lib, { recursive: true });
  const rlibs = readdirSync(made).filter((file) => file.endsWith(".rlib") && !file.startsWith("libempty-"));
  if (!rlibs.some((file) => file.startsWith("libstd-"))) throw new Failure("building std made no libstd");
  for (const file of rlibs) copyFileSync(join(made, file), join(lib, file));
  rmSync(crate, { recursive: true });
}

/**
 * Completes the sysroot with links to Debian's own parts, and writes the programs that use it.
 * @param {string} into
 */
function writeSysroot(into) {
  const built = compiler() ?? "";
  const [, host] = /^host: (.+)$/m.exec(built) ?? [];
  if (host === undefined) throw new Failure(`${RUSTC} does not say for what it compiles`);
  const rustlib = join(into, "sysroot", "lib", "rustlib");
  symlinkSync(`/usr/lib/rustlib/${host}`, join(rustlib, host));
  symlinkSync("/usr/lib/rustlib/src", join(rustlib, "src"));
  const bin = join(into, "bin");
  mkdirSync(bin);
  symlinkSync(CARGO, join(bin, "cargo"));
  const rustc = join(bin, "rustc");
  // $0 so that the folder can be moved to its place.
  writeFileSync(rustc, `#!/bin/sh\nexec ${RUSTC} --sysroot "$(dirname "$0")/../sysroot" "$@"\n`);
  chmodSync(rustc, 0o755);
  writeFileSync(join(into, "built-by"), built);
}
