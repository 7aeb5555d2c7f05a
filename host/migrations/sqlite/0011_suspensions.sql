-- Steps that are left out because their plugin has failed again and again, as the daemon last said. Times are milliseconds.
CREATE TABLE suspensions (
    step   TEXT   NOT NULL PRIMARY KEY,
    plugin TEXT   NOT NULL,
    hash   TEXT   NOT NULL, -- of the plugin's file
    faults BIGINT NOT NULL, -- in a row
    last   TEXT   NOT NULL, -- how the last of them came about
    since  BIGINT NOT NULL
);
