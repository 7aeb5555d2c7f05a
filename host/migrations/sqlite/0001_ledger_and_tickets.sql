-- The first schema: what was received, what became of it, and the tickets that came of it.
--
-- Types are those that PostgreSQL shares (BIGINT, TEXT) or has a twin for (BLOB = BYTEA, INTEGER PRIMARY KEY
-- AUTOINCREMENT = BIGINT GENERATED ALWAYS AS IDENTITY). All times are milliseconds since 1970-01-01T00:00:00Z; all
-- sha256 columns are the 32 bytes; all columns that end in _json hold JSON text; flags are 0 or 1.

-- Numbers given out without gaps. Incremented inside the transaction that uses them.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('ticket', 0);

-- One run of a job: a row of the incoming mail log.
CREATE TABLE sessions (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    job         TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    finished_at BIGINT,
    error       TEXT,                       -- what ended it early
    waiting     BIGINT  NOT NULL DEFAULT 0, -- messages in the mailbox
    received    BIGINT  NOT NULL DEFAULT 0, -- messages fetched
    created     BIGINT  NOT NULL DEFAULT 0, -- tickets
    updated     BIGINT  NOT NULL DEFAULT 0, -- tickets
    rejected    BIGINT  NOT NULL DEFAULT 0,
    ignored     BIGINT  NOT NULL DEFAULT 0,
    quarantined BIGINT  NOT NULL DEFAULT 0,
    errors      BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_start ON sessions (started_at);

-- Messages as they were received; identical bytes are stored once.
CREATE TABLE messages (
    sha256 BLOB   NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    bytes  BLOB   NOT NULL
);

-- The ledger: one receipt for each message of each mailbox, ever. Its unique key makes "exactly once" true.
CREATE TABLE receipts (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    job          TEXT    NOT NULL,
    mailbox      TEXT    NOT NULL,
    uid_validity BIGINT  NOT NULL,
    uid          TEXT    NOT NULL,
    -- Deferred: the receipt claims the key first, the bytes follow in the same transaction.
    sha256       BLOB    NOT NULL REFERENCES messages (sha256) DEFERRABLE INITIALLY DEFERRED,
    message_id   TEXT,                      -- Message-ID, without its angle brackets
    session      BIGINT  REFERENCES sessions (id),
    revision     TEXT    NOT NULL,          -- of the rule set that decided
    outcome      TEXT    NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'ignored', 'quarantined')),
    reason       TEXT    NOT NULL,          -- empty if accepted
    class        TEXT,                      -- of the error, if quarantined
    report_json  TEXT    NOT NULL,
    received_at  BIGINT  NOT NULL,
    received_offset BIGINT NOT NULL,        -- minutes east of UTC, as the mailbox wrote it
    committed_at BIGINT  NOT NULL,
    wanted_json  TEXT,                      -- the disposition wanted in the mailbox; null if none is
    marked_at    BIGINT,                    -- when the mailbox had it
    UNIQUE (job, mailbox, uid_validity, uid)
);
CREATE INDEX receipts_by_session ON receipts (session);
CREATE INDEX receipts_by_sha256 ON receipts (sha256);
CREATE INDEX receipts_unmarked ON receipts (job) WHERE wanted_json IS NOT NULL AND marked_at IS NULL;

CREATE TABLE tickets (
    number          BIGINT NOT NULL PRIMARY KEY, -- 1 is T00001
    class           TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    requester_name  TEXT   NOT NULL,
    requester_email TEXT   NOT NULL,
    job             TEXT   NOT NULL,             -- that brought it
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX tickets_by_status ON tickets (status, number);

CREATE TABLE ticket_fields (
    ticket     BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    name       TEXT   NOT NULL,
    value_json TEXT   NOT NULL,
    PRIMARY KEY (ticket, name)
);

CREATE TABLE comments (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ticket       BIGINT  NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    receipt      BIGINT  NOT NULL REFERENCES receipts (id),
    author_name  TEXT    NOT NULL,
    author_email TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    visibility   TEXT    NOT NULL CHECK (visibility IN ('public', 'internal')),
    created_at   BIGINT  NOT NULL
);
CREATE INDEX comments_by_ticket ON comments (ticket);

-- Which tickets each receipt created or updated, in order.
CREATE TABLE receipt_tickets (
    receipt  BIGINT NOT NULL REFERENCES receipts (id) ON DELETE CASCADE,
    ticket   BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    effect   TEXT   NOT NULL CHECK (effect IN ('created', 'updated')),
    position BIGINT NOT NULL,
    PRIMARY KEY (receipt, ticket)
);

-- Contents of attachments; identical bytes are stored once.
CREATE TABLE blobs (
    sha256 BLOB   NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    bytes  BLOB   NOT NULL
);

CREATE TABLE attachments (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ticket     BIGINT  NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    comment    BIGINT  REFERENCES comments (id) ON DELETE CASCADE, -- null: it came with the ticket itself
    name       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    content_id TEXT    NOT NULL,
    inline     BIGINT  NOT NULL,
    size       BIGINT  NOT NULL,
    sha256     BLOB    NOT NULL REFERENCES blobs (sha256)
);
CREATE INDEX attachments_by_ticket ON attachments (ticket);

-- Which ticket a Message-ID belongs to: what In-Reply-To and References are looked up in. The first message with an
-- identifier keeps it, so that a later one cannot draw a conversation to itself.
CREATE TABLE thread_index (
    message_id TEXT   NOT NULL PRIMARY KEY,
    ticket     BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE
);

-- Messages that could not be processed. Bytes and key are with the receipt.
CREATE TABLE quarantine (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    receipt     BIGINT  NOT NULL UNIQUE REFERENCES receipts (id) ON DELETE CASCADE,
    cause       TEXT    NOT NULL,
    class       TEXT    NOT NULL CHECK (class IN ('transient', 'permanent', 'bug')),
    report_json TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    released_at BIGINT                      -- null while it waits
);
CREATE INDEX quarantine_waiting ON quarantine (id) WHERE released_at IS NULL;
