-- Version 1. Never changed: what comes later is a migration of its own.
-- Every `crc` is a CRC-32 of all other columns of its row (see record.rs).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What lists show: small rows, so that reading many of them is quick.
CREATE TABLE sweeps (
    key        INTEGER PRIMARY KEY AUTOINCREMENT, -- Never used again.
    id         TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    request_id TEXT NOT NULL,    -- Empty: none.
    created_ms INTEGER NOT NULL, -- Milliseconds since 1970, like all times here.
    ended_ms   INTEGER,          -- NULL: active.
    status     TEXT NOT NULL,
    documented INTEGER NOT NULL, -- 1: `documents` has its result.
    summary    BLOB,
    crc        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sweeps_by_request ON sweeps (owner, request_id) WHERE request_id <> '';
CREATE INDEX sweeps_by_time ON sweeps (created_ms);
CREATE INDEX sweeps_by_owner ON sweeps (owner, created_ms);
CREATE INDEX sweeps_by_status ON sweeps (status, created_ms);
CREATE INDEX sweeps_by_owner_and_status ON sweeps (owner, status, created_ms);
CREATE INDEX sweeps_by_end ON sweeps (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX sweeps_undocumented ON sweeps (key) WHERE ended_ms IS NOT NULL AND documented = 0;

CREATE TABLE specs (
    sweep_key INTEGER PRIMARY KEY,
    value     BLOB NOT NULL,
    crc       INTEGER NOT NULL
) STRICT;

CREATE TABLE documents (
    sweep_key INTEGER PRIMARY KEY,
    value     BLOB NOT NULL,
    crc       INTEGER NOT NULL
) STRICT;

-- The logs of the sweeps. Sweep and number are one integer, so that a log lies together on the disk
-- and payloads of some kilobytes need no pages of their own, as they would in an index.
CREATE TABLE events (
    place   INTEGER PRIMARY KEY, -- sweep_key * 4294967296 + number; numbers begin at 1.
    unix_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,
    crc     INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    crc   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
