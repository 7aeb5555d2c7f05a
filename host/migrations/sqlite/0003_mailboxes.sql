-- What a job knows of each of its mailboxes: since when it watches it, and which messages are none of its business because
-- they were there before.

CREATE TABLE mailboxes (
    job           TEXT   NOT NULL,
    mailbox       TEXT   NOT NULL,
    uid_validity  BIGINT NOT NULL,           -- under which its messages are known; 0 where there is no such thing
    first_seen_at BIGINT NOT NULL,
    passed_over   BIGINT NOT NULL DEFAULT 0, -- how many messages of before are passed over
    passed_below  BIGINT NOT NULL DEFAULT 0, -- those with a number below this, where messages are numbered
    PRIMARY KEY (job, mailbox)
);

-- Messages that are passed over one by one.
CREATE TABLE passed_over (
    job          TEXT   NOT NULL,
    mailbox      TEXT   NOT NULL,
    uid_validity BIGINT NOT NULL,
    uid          TEXT   NOT NULL,
    PRIMARY KEY (job, mailbox, uid_validity, uid)
);

-- Mailboxes of which there are receipts are not new.
INSERT INTO mailboxes (job, mailbox, uid_validity, first_seen_at)
    SELECT latest.job, latest.mailbox, latest.uid_validity, known.first_seen_at
    FROM (SELECT MAX(id) AS latest_id, MIN(committed_at) AS first_seen_at FROM receipts GROUP BY job, mailbox) known
    JOIN receipts latest ON latest.id = known.latest_id;

ALTER TABLE sessions ADD COLUMN passed_over BIGINT NOT NULL DEFAULT 0; -- messages of before the job's first look

-- Whether the bytes are no more than the header, because the rest was never fetched.
ALTER TABLE quarantine ADD COLUMN header_only BIGINT NOT NULL DEFAULT 0;
UPDATE quarantine SET header_only = 1 WHERE receipt IN
    (SELECT receipts.id FROM receipts JOIN messages ON messages.sha256 = receipts.sha256 WHERE messages.size = 0);
