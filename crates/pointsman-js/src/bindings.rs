//! The functions that JavaScript calls: each is one of another module, under its name in JavaScript.
#![allow(unreachable_pub)] // JavaScript reaches them, and the attribute wants them public.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::{credentials, names, records, usage, usage_breakdown};

#[wasm_bindgen(js_name = checkCustomer)]
pub fn check_customer(json: &str, id: &str, allow_http: &str) -> String {
    records::customer(json, id, allow_http)
}

#[wasm_bindgen(js_name = checkKey)]
pub fn check_key(json: &str, customer_claim: &str, now: f64) -> String {
    records::key(json, customer_claim, now)
}

#[wasm_bindgen(js_name = objectError)]
pub fn object_error(json: &str) -> Option<String> {
    records::object_error(json)
}

#[wasm_bindgen(js_name = millisOf)]
pub fn millis_of(instant: &str) -> Option<f64> {
    records::millis_of(instant)
}

#[wasm_bindgen(js_name = entryNames)]
pub fn entry_names() -> String {
    names::entry_names()
}

#[wasm_bindgen(js_name = keyEntry)]
pub fn key_entry(key: &str) -> String {
    names::key_entry(key)
}

#[wasm_bindgen(js_name = isCustomerId)]
pub fn is_customer_id(text: &str) -> bool {
    names::is_customer_id(text)
}

#[wasm_bindgen(js_name = network)]
pub fn network(address: String) -> String {
    names::network(address)
}

#[wasm_bindgen(js_name = mintKey)]
pub fn mint_key(prefix: &str, random: &[u8]) -> Option<String> {
    credentials::mint_key(prefix, random)
}

#[wasm_bindgen(js_name = isKey)]
pub fn is_key(text: &str, prefix: &str) -> bool {
    credentials::is_key(text, prefix)
}

#[wasm_bindgen(js_name = isOperatorSecret)]
pub fn is_operator_secret(text: &str) -> bool {
    credentials::is_operator_secret(text)
}

#[wasm_bindgen(js_name = usageQuery)]
pub fn usage_query(question: &str) -> String {
    usage::query(question)
}

#[wasm_bindgen(js_name = usageFigures)]
pub fn usage_figures(question: &str, answer: &str) -> String {
    usage::figures(question, answer)
}

#[wasm_bindgen(js_name = usageBreakdownQuery)]
pub fn usage_breakdown_query(question: &str) -> String {
    usage_breakdown::query(question)
}

#[wasm_bindgen(js_name = usageBreakdown)]
pub fn usage_breakdown_rows(question: &str, answer: &str) -> String {
    usage_breakdown::rows(question, answer)
}
