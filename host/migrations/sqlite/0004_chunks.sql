-- Long messages and attachments in pieces, so that none is ever in memory as a whole.
--
-- `bytes` of messages and blobs is the first piece, of at most 512 KiB, and the only one for most; the rest is in rows
-- of the same length here, numbered from 1.

CREATE TABLE message_chunks (
    sha256   BLOB   NOT NULL REFERENCES messages (sha256) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    bytes    BLOB   NOT NULL,
    PRIMARY KEY (sha256, position)
);

CREATE TABLE blob_chunks (
    sha256   BLOB   NOT NULL REFERENCES blobs (sha256) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    bytes    BLOB   NOT NULL,
    PRIMARY KEY (sha256, position)
);

WITH RECURSIVE pieces (sha256, position, size) AS (
    SELECT sha256, 1, size FROM messages WHERE size > 524288
    UNION ALL
    SELECT sha256, position + 1, size FROM pieces WHERE size > (position + 1) * 524288
)
INSERT INTO message_chunks (sha256, position, bytes)
SELECT pieces.sha256, pieces.position, substr(messages.bytes, pieces.position * 524288 + 1, 524288)
FROM pieces JOIN messages ON messages.sha256 = pieces.sha256;

UPDATE messages SET bytes = substr(bytes, 1, 524288) WHERE size > 524288;

WITH RECURSIVE pieces (sha256, position, size) AS (
    SELECT sha256, 1, size FROM blobs WHERE size > 524288
    UNION ALL
    SELECT sha256, position + 1, size FROM pieces WHERE size > (position + 1) * 524288
)
INSERT INTO blob_chunks (sha256, position, bytes)
SELECT pieces.sha256, pieces.position, substr(blobs.bytes, pieces.position * 524288 + 1, 524288)
FROM pieces JOIN blobs ON blobs.sha256 = pieces.sha256;

UPDATE blobs SET bytes = substr(bytes, 1, 524288) WHERE size > 524288;
