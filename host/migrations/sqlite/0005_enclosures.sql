-- The content of an attachment is a stretch of its message: its row says where, and the bytes are not stored again.
-- `bytes` is empty then. Rows of before have their bytes, and none of these.

ALTER TABLE blobs ADD COLUMN message  BLOB REFERENCES messages (sha256); -- null: the bytes are here
ALTER TABLE blobs ADD COLUMN start    BIGINT; -- where the encoded bytes begin in the message
ALTER TABLE blobs ADD COLUMN length   BIGINT; -- how many they are
ALTER TABLE blobs ADD COLUMN encoding TEXT;   -- identity, base64 or quoted-printable

-- Receipts and comments are numbered by whoever writes a batch of them, as tickets are.
INSERT INTO counters (name, value)
    SELECT 'receipt', COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'receipts'), 0);
INSERT INTO counters (name, value)
    SELECT 'comment', COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'comments'), 0);
