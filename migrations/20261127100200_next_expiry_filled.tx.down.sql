DROP INDEX groups_next_expiry;
