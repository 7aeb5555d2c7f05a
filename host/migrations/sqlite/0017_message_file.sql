-- The bytes of a message lie in a file beside the database, and its row says where: they need no second copy in the log of changes. `bytes`
-- is empty then, and there are no chunks. Rows of before have their bytes here.

ALTER TABLE messages ADD COLUMN place BIGINT; -- where they begin in the file; null: they are here
