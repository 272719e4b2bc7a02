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
