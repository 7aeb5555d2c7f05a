-- What the outbox was sending when the program ended.

-- 1 while an attempt is under way, or was when the program ended.
ALTER TABLE outbox ADD COLUMN claimed BIGINT NOT NULL DEFAULT 0;
