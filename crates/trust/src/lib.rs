//! Trust bundle: schema, authoring, anti-rollback set, the per-connection decision.
