DROP FUNCTION member_ends();
DROP FUNCTION expired_members(uuid);
ALTER TABLE groups DROP COLUMN next_expiry;
