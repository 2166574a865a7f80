//! How many clients a model can serve on this host, what stops it, and why: first predicted from the
//! limits of the host and the appetite of the model, then measured.

pub mod appetite;
pub mod evidence;
pub mod host;
pub mod outcome;
pub mod prediction;
pub mod seek;
pub mod trial;
