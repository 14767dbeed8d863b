//! Turns `gateway.toml` into JSON at build time, so that the Worker carries no TOML parser. What it
//! says is checked by `pointsman check`, which every build of the Worker runs first.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=gateway.toml");
    let text = fs::read_to_string("gateway.toml").map_err(|error| format!("gateway.toml: {error}"))?;
    let value: serde_json::Value = toml::from_str(&text).map_err(|error| format!("gateway.toml: {error}"))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("gateway.json"), value.to_string())?;
    Ok(())
}
