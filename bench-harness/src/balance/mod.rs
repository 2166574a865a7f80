//! How evenly each method of placing keys balances, and what moves when a node comes or goes.
