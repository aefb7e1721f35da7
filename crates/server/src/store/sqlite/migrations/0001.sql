-- Schema 1. Times are seconds since 1970. The service itself is the account with the empty name.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO accounts (id) VALUES ('');

-- One row: grows with every committed change of an object.
CREATE TABLE configuration (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL CHECK (version >= 0)
) STRICT;
INSERT INTO configuration (one, version) VALUES (1, 0);

-- What operators configure, one JSON document each; read whole into memory.
CREATE TABLE objects (
    account TEXT NOT NULL REFERENCES accounts (id),
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (account, kind, id)
) STRICT, WITHOUT ROWID;

-- Enrolled app instances.
CREATE TABLE devices (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    account     TEXT NOT NULL REFERENCES accounts (id),
    device      TEXT NOT NULL,
    public_key  BLOB NOT NULL,
    enrolled_at INTEGER NOT NULL,
    view        TEXT NOT NULL,
    UNIQUE (account, device)
) STRICT;
CREATE INDEX devices_newest ON devices (account, number);

-- Spent enrolment challenges, until they would have expired anyway.
CREATE TABLE challenges (
    account    TEXT NOT NULL REFERENCES accounts (id),
    challenge  BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, challenge)
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_expiry ON challenges (expires_at);

-- Attestation tokens consumed, until they would have expired anyway.
CREATE TABLE consumed_tokens (
    account    TEXT NOT NULL REFERENCES accounts (id),
    jti        TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX consumed_tokens_expiry ON consumed_tokens (expires_at);

-- Recorded verdicts.
CREATE TABLE verdicts (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    account    TEXT NOT NULL REFERENCES accounts (id),
    support_id TEXT NOT NULL,
    at         INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    device     TEXT,
    view       TEXT NOT NULL
) STRICT;
CREATE INDEX verdicts_support ON verdicts (account, support_id);
CREATE INDEX verdicts_newest ON verdicts (account, number);
CREATE INDEX verdicts_refused ON verdicts (account, outcome, number) WHERE device IS NOT NULL;
CREATE INDEX verdicts_age ON verdicts (at);

-- Open role sessions, by the digest of their bearer value.
CREATE TABLE sessions (
    bearer_sha256 BLOB NOT NULL PRIMARY KEY,
    credential    TEXT NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    account       TEXT NOT NULL REFERENCES accounts (id),
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Replies to requests with an Idempotency-Key.
CREATE TABLE replies (
    credential     TEXT NOT NULL,
    key            TEXT NOT NULL,
    request_sha256 BLOB NOT NULL,
    status         INTEGER NOT NULL,
    body           TEXT NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX replies_expiry ON replies (expires_at);

-- The audit log. `hash` chains the rows (see store/audit_chain.rs); `audit_head` is the newest link, so that a
-- missing tail shows as well.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    account  TEXT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    object   TEXT NOT NULL,
    details  TEXT NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_account ON audit (account, sequence);
CREATE TABLE audit_head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (one, sequence, hash) VALUES (1, 0, zeroblob(32));
