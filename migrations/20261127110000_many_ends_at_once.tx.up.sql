-- Of many memberships that end one before the other, written by one statement, each lowered the bound of their group, and looked for its row
-- behind all the versions that the ones before had left: 10,000 took minutes. The first now goes as low as all of them need, since a trigger that runs after
-- the statement sees what it wrote.
CREATE OR REPLACE FUNCTION member_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bound timestamptz;
BEGIN
  SELECT next_expiry INTO bound FROM groups WHERE id = NEW.group_id FOR NO KEY UPDATE;
  IF bound IS NULL OR bound > NEW.expires_at THEN
    UPDATE groups SET next_expiry = least(NEW.expires_at,
      (SELECT min(m.expires_at) FROM members m WHERE m.group_id = NEW.group_id AND m.expires_at IS NOT NULL)) WHERE id = NEW.group_id;
  END IF;
  RETURN NULL;
END $$;
