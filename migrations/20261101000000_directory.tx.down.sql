DROP TABLE worker_models, actions, changes, tokens, admins, members, groups, users, totals, settings;
DROP FUNCTION count_rows();
-- pg_trgm stays: it may have been there before, and others may use it.
