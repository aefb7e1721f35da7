//! End-to-end tests, across all walls and with real peers.
