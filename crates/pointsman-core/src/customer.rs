//! What is stored of customers, and the backends that their records and claims name.

pub mod backend_url;
pub mod host_name;
pub mod origins;
pub mod record;
pub mod roster;
pub mod secret;
pub mod template;
