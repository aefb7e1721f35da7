//! A virtual device that emits evidence in the real formats under a root of its own.
