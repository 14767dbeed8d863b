//! What is asked of the gateway's metrics: a question becomes SQL of Workers Analytics Engine, and the answer of its SQL
//! API becomes figures. Pure: who sends the SQL and with which token is for others to say.
//!
//! The gateway writes one point a request. [`schema`] says where in it what stands. The engine keeps one of many points
//! where there are too many, and says in `_sample_interval` for how many a point stands. So all figures are weighted by
//! that, and each says whether it was sampled.

pub mod answer;
pub mod breakdown;
pub mod dimension;
pub mod literal;
pub mod question;
pub mod schema;
pub mod sql;

pub use answer::{Figures, figures};
pub use breakdown::Breakdown;
pub use dimension::Dimension;
pub use question::Question;
pub use sql::sql;
