//! The bytes both ends agree on: requests, replies, problem codes, claims, signed and sealed envelopes.
