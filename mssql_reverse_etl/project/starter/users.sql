-- Each column is a field of the call or a trait; {{last_sync_time}} is the start of the run before,
-- in unix seconds, and 0 at first.
SELECT
    id AS userId,
    email_address AS email,
    fname,
    lname
FROM users
WHERE last_updated >= {{last_sync_time}}
