//! Who calls: credentials, API keys, tokens and their keys, claims, and the customer that these name.

pub mod access;
pub mod algorithm;
pub mod api_key;
pub mod audience;
pub mod claimed;
pub mod claims;
pub mod compact;
pub mod credential;
pub mod customer_id;
pub mod issuer_customers;
pub mod issuer_name;
pub mod jwk;
pub mod jwk_set;
pub mod jwt;
pub mod key_fields;
pub mod key_record;
pub mod method;
pub mod named_value;
pub mod operator_secret;
pub mod places;
pub mod principal;
pub mod root_key;
pub mod shared_secret;
pub mod subprotocol;
