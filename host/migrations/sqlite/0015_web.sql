-- Who may use the web admin and the API, and what they did.

CREATE TABLE web_users (
    name       TEXT   NOT NULL PRIMARY KEY,
    role       TEXT   NOT NULL,             -- admin, viewer
    password   TEXT   NOT NULL,             -- Argon2id, as a PHC string
    created_at BIGINT NOT NULL
);

-- Somebody is logged in. Who reads this table cannot be them: it has digests of what their browsers keep.
CREATE TABLE web_sessions (
    digest     TEXT   NOT NULL PRIMARY KEY,
    user_name  TEXT   NOT NULL REFERENCES web_users (name) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id           INTEGER PRIMARY KEY,
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    digest       TEXT   NOT NULL UNIQUE,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

CREATE TABLE audit_log (
    id      INTEGER PRIMARY KEY,
    at      BIGINT NOT NULL,
    who     TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);

-- The latest sessions of each job.
CREATE INDEX sessions_by_job ON sessions (job, id);
