//! The service: challenges, verifies, decides, releases.
