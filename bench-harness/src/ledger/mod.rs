//! The memory ledger: who holds how much for a connection.
