//! Where in a point what stands: version "1" of the schema, as the gateway writes it.

/// The version that this crate reads, in [`VERSION`].
pub const READS: &str = "1";
/// The schema's version.
pub const VERSION: &str = "blob1";
/// The stable name of a refusal or failure of the gateway's; empty where there was none.
pub const REASON: &str = "blob10";
/// The status of the answer.
pub const STATUS: &str = "double2";
/// Milliseconds from the request's arrival to the head of its answer.
pub const DURATION: &str = "double3";
/// Milliseconds in which backends were waited for.
pub const BACKEND: &str = "double4";
/// How many attempts at a backend there were; 0 where none was called.
pub const ATTEMPTS: &str = "double6";
/// Bytes of the request's body, 0 where unknown.
pub const REQUEST_BYTES: &str = "double7";
/// Bytes of the answer's body, 0 where unknown.
pub const RESPONSE_BYTES: &str = "double8";
/// For how many points this one stands.
pub const WEIGHT: &str = "_sample_interval";

/// Answered with a 5xx, whoever gave it.
pub const IS_ERROR: &str = "double2 >= 500";
/// A 5xx that is a backend's: it gave it, or gave no answer at all. All others are the gateway's own.
pub const IS_BACKEND_ERROR: &str =
    "double2 >= 500 AND blob10 IN ('', 'backend_unreachable', 'backend_timeout')";
/// Refused by the gateway: a 4xx with its reason. 499 is a client that left.
pub const IS_REFUSED: &str = "double2 >= 400 AND double2 < 500 AND double2 != 499 AND blob10 != ''";
/// Either of the two.
pub const IS_FAILING: &str = "(double2 >= 500 OR (double2 >= 400 AND double2 != 499 AND blob10 != ''))";
/// Let in: a backend was called, or the gateway answered without finding anything wrong.
pub const IS_LET_IN: &str = "(blob10 = '' OR double6 > 0)";
