//! Limits that are set for a trial, and put back afterwards, whatever happens.
