//! A balancer that keeps its replicas alive: processes of this program, started, watched, replaced.

pub mod command;
pub mod control;
