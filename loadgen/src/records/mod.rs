//! Records that other programs read: interval logs, percentile files, a log of every request.
