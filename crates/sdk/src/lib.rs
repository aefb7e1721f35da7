//! Client SDK: a pure machine and a small async driver over host traits.
