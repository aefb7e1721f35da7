-- Schema 2: the relay.

-- Relay requests whose challenge is spent, with what became of them, until that challenge would have expired anyway.
CREATE TABLE relays (
    account        TEXT NOT NULL REFERENCES accounts (id),
    challenge      BLOB NOT NULL,
    request_sha256 BLOB NOT NULL,
    answer         BLOB,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (account, challenge)
) STRICT, WITHOUT ROWID;
CREATE INDEX relays_expiry ON relays (expires_at);

-- Clients that were registered for one instance each.
CREATE TABLE instance_clients (
    account        TEXT NOT NULL REFERENCES accounts (id),
    upstream       TEXT NOT NULL,
    device         TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    key_thumbprint TEXT NOT NULL,
    management     BLOB,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (account, upstream, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX instance_clients_device ON instance_clients (account, device);
