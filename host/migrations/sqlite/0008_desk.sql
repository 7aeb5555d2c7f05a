-- What the desk knows of a ticket: a number in the series of its class, who works on it, who takes part in it, and who
-- the people are.

-- `number` is the place among all tickets, which everything else refers to; what people see is `prefix` and `sequence`.
ALTER TABLE tickets ADD COLUMN prefix   TEXT   NOT NULL DEFAULT 'T';
ALTER TABLE tickets ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN digits   BIGINT NOT NULL DEFAULT 5; -- how many the number had at least when it was given
UPDATE tickets SET sequence = number;
CREATE UNIQUE INDEX tickets_by_sequence ON tickets (prefix, sequence);

-- The last number of each series.
CREATE TABLE series (
    prefix TEXT   NOT NULL PRIMARY KEY,
    value  BIGINT NOT NULL
);
INSERT INTO series (prefix, value) SELECT 'T', value FROM counters WHERE name = 'ticket';

ALTER TABLE tickets ADD COLUMN assigned_person TEXT NOT NULL DEFAULT ''; -- empty: nobody
ALTER TABLE tickets ADD COLUMN assigned_group  TEXT NOT NULL DEFAULT '';

-- Who takes part in a ticket besides its requester.
CREATE TABLE participants (
    ticket   BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    address  TEXT   NOT NULL,  -- in lower case, so that each is there once
    email    TEXT   NOT NULL,  -- as written
    name     TEXT   NOT NULL,
    receipt  BIGINT NOT NULL REFERENCES receipts (id), -- of the message that brought them
    added_at BIGINT NOT NULL,
    PRIMARY KEY (ticket, address)
);

-- People who have asked for something.
CREATE TABLE contacts (
    address       TEXT   NOT NULL PRIMARY KEY, -- in lower case
    email         TEXT   NOT NULL,             -- as first written
    name          TEXT   NOT NULL,             -- the first one known; empty: none yet
    first_seen_at BIGINT NOT NULL
);
INSERT INTO contacts (address, email, name, first_seen_at)
    SELECT lower(earliest.requester_email), earliest.requester_email, COALESCE(named.requester_name, ''), earliest.created_at
    FROM (SELECT MIN(number) AS earliest, MIN(CASE WHEN requester_name <> '' THEN number END) AS named
          FROM tickets WHERE requester_email <> '' GROUP BY lower(requester_email)) AS people
    JOIN tickets AS earliest ON earliest.number = people.earliest
    LEFT JOIN tickets AS named ON named.number = people.named;

-- A content that lies in a content, such as a file in a winmail.dat: which of the decoded bytes it is. Null: all of them.
ALTER TABLE blobs ADD COLUMN inner_start  BIGINT;
ALTER TABLE blobs ADD COLUMN inner_length BIGINT;
