-- For the soonest end of a group with a large part of all memberships that end, Postgres went through everybody's ends in their order, and passed
-- all of other groups that are sooner: milliseconds for each membership that was written. By the two columns of members_expiring it begins where
-- the group does, and no other index has that order.
CREATE OR REPLACE FUNCTION member_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bound timestamptz;
BEGIN
  SELECT next_expiry INTO bound FROM groups WHERE id = NEW.group_id FOR NO KEY UPDATE;
  IF bound IS NULL OR bound > NEW.expires_at THEN
    UPDATE groups SET next_expiry = least(NEW.expires_at, (SELECT f.expires_at FROM (
      SELECT m.group_id, m.expires_at FROM members m WHERE m.expires_at IS NOT NULL AND (m.group_id, m.expires_at) >= (NEW.group_id, timestamptz '-infinity')
      ORDER BY m.group_id, m.expires_at LIMIT 1) f WHERE f.group_id = NEW.group_id)) WHERE id = NEW.group_id;
  END IF;
  RETURN NULL;
END $$;
