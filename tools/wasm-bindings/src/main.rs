//! Makes the JavaScript through which a Worker enters its wasm: what `wasm-bindgen --target web` does.
//!
//! The command-line crate of wasm-bindgen brings a test runner with a web server and an HTTP client along, which take
//! minutes to compile. This one takes its library and nothing else.
//!
//! `wasm-bindings INPUT.wasm FOLDER` writes `index.js`, `index_bg.wasm` and `snippets/` into the folder.

use std::{env, error::Error, process::ExitCode};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(input), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: wasm-bindings INPUT.wasm FOLDER");
        return ExitCode::from(2);
    };
    match bind(&input, &folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{input}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bind(input: &str, folder: &str) -> Result<(), Box<dyn Error>> {
    Bindgen::new()
        .input_path(input)
        .web(true)?
        // The entry hands the wasm over.
        .omit_default_module_path(true)
        .out_name("index")
        .typescript(false)
        // After a trap the functions that enter the wasm make a new instance first: see tests/workerd/recovery.test.mjs.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)
        .map_err(|error| format!("{error:#}").into())
}
