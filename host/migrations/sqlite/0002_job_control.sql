-- Jobs: what people want of them, and what the daemon says of them. Times are milliseconds as everywhere.
CREATE TABLE jobs (
    name             TEXT   NOT NULL PRIMARY KEY,
    -- Written by people's commands.
    paused_at        BIGINT,          -- null: it is not paused
    paused_by        TEXT,
    run_requested_at BIGINT,          -- null once the daemon has begun the session
    -- Written by the daemon.
    state            TEXT,            -- running, waiting, listening, retrying, paused, finished
    next_run_at      BIGINT,
    last_run_at      BIGINT,          -- when its last session ended, whether it found something or not
    last_received    BIGINT,
    last_error       TEXT,            -- null if it ended well
    reported_at      BIGINT           -- when the daemon last said all this; null if it has stopped
);
CREATE INDEX jobs_wanted ON jobs (name) WHERE paused_at IS NOT NULL OR run_requested_at IS NOT NULL;
