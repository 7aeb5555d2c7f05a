-- Messages that were run through a candidate beside the rules in force, and what would have been different.

CREATE TABLE shadows (
    receipt    BIGINT NOT NULL PRIMARY KEY REFERENCES receipts (id) ON DELETE CASCADE,
    candidate  TEXT   NOT NULL, -- its revision
    in_force   TEXT   NOT NULL, -- that of the rules in force
    difference TEXT             -- as JSON; null: none, or the message could not be run
);
CREATE INDEX shadows_by_candidate ON shadows (candidate, receipt);
