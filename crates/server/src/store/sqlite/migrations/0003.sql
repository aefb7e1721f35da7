-- Schema 3: enrolments can be judged again.

-- What the evidence said (JSON), and under which circumstances it was judged last; 0: not yet. Devices of earlier
-- schemas have no facts and are judged when they attest.
ALTER TABLE devices ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN judged_under INTEGER NOT NULL DEFAULT 0;
CREATE INDEX devices_judged ON devices (account, judged_under, number) WHERE facts <> '';

-- Codes of the findings of each device's last judgement.
CREATE TABLE device_findings (
    account TEXT NOT NULL,
    code    TEXT NOT NULL,
    number  INTEGER NOT NULL REFERENCES devices (number),
    PRIMARY KEY (account, code, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_findings_device ON device_findings (number);

-- What was seen under each key that attests other keys. `told` changes when something about it becomes noteworthy;
-- such keys are part of the configuration in force.
CREATE TABLE attestation_keys (
    account   TEXT NOT NULL REFERENCES accounts (id),
    key       TEXT NOT NULL,
    sightings TEXT NOT NULL,
    told      TEXT NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX attestation_keys_told ON attestation_keys (account, key) WHERE told <> '';
