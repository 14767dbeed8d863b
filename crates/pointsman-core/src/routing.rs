//! From a path and a caller to a target: the route table, conditions, rules and splits.

pub mod authorize;
pub mod condition;
pub mod index;
pub mod operand;
pub mod pattern;
pub mod readings;
pub mod rule;
pub mod split;
pub mod table;
pub mod target;
