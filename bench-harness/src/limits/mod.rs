//! How many clients a model can serve on this host, what stops it, and why: first predicted from the
//! limits of the host and the appetite of the model, then measured.

pub mod appetite;
pub mod host;
pub mod prediction;
