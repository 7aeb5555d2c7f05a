-- The rules that were in force, one row each time they came into force, and the files that they were made of.

CREATE TABLE revisions (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    revision TEXT    NOT NULL,
    since    BIGINT  NOT NULL,
    changed_by TEXT  NOT NULL, -- whose the file is that was changed last
    origin   TEXT    NOT NULL, -- the folder they were read from
    tests    BIGINT  NOT NULL  -- how many of their own tests they passed
);
CREATE INDEX revisions_by_name ON revisions (revision);

-- A text is there once, however many revisions have it.
CREATE TABLE rule_texts (
    sha256 BLOB NOT NULL PRIMARY KEY,
    text   TEXT NOT NULL
);

CREATE TABLE revision_files (
    revision TEXT NOT NULL,
    path     TEXT NOT NULL, -- from the folder of the rules
    sha256   BLOB NOT NULL REFERENCES rule_texts (sha256),
    PRIMARY KEY (revision, path)
);

CREATE TABLE revision_plugins (
    revision TEXT NOT NULL,
    plugin   TEXT NOT NULL,
    sha256   TEXT NOT NULL, -- of its component, in hexadecimal
    PRIMARY KEY (revision, plugin)
);
