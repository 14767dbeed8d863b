//! What the gateway tells of each request, beside the usual line of its log.

use crate::http::trace_context::{MILLION, Tracing};

/// The settings of log and traces. Metrics have none: there are points where a dataset is bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Telemetry {
    /// Whether each line has the details that the lines of refusals have.
    pub details: bool,
    /// Of how many successful requests in a million there is a line.
    pub logged: u32,
    /// How the gateway takes part in traces, if it does.
    pub tracing: Option<Tracing>,
    /// Whether it tells the platform of its own parts in a request as spans.
    pub spans: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { details: false, logged: MILLION, tracing: None, spans: false }
    }
}
