-- Who has suspended a step, if it was somebody and not its faults.
ALTER TABLE suspensions ADD COLUMN suspended_by TEXT;
