//! Device evidence: authenticated into facts, appraised against policy into a verdict.
