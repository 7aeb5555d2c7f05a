-- What leaves the system: written with the receipt of the message that caused it, sent after the commit.

CREATE TABLE outbox (
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT    NOT NULL UNIQUE,
    receipt         BIGINT  NOT NULL,           -- of the message that caused it
    ticket          BIGINT,                     -- that it is about
    lane            TEXT    NOT NULL,           -- what is sent one after the other: 'mail', 'maildir', 'webhook:NAME'
    target          TEXT    NOT NULL,           -- a mail's address (lower case), a webhook's name, a folder's name
    payload_json    TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts        BIGINT  NOT NULL DEFAULT 0, -- begun
    next_attempt_at BIGINT  NOT NULL,           -- while it waits
    claimed_until   BIGINT,                     -- during an attempt: when it counts as failed
    last_error      TEXT,
    created_at      BIGINT  NOT NULL,
    ended_at        BIGINT                      -- when it was sent, or given up
);
CREATE INDEX outbox_due ON outbox (lane, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX outbox_by_target ON outbox (target, created_at);
CREATE INDEX outbox_by_ticket ON outbox (ticket, created_at);
CREATE INDEX outbox_ended ON outbox (state, ended_at) WHERE state <> 'waiting';

-- Secrets that mailmill makes for itself, each once.
CREATE TABLE own_keys (
    name  TEXT NOT NULL PRIMARY KEY,
    bytes BLOB NOT NULL
);
