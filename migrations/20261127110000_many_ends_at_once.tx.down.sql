CREATE OR REPLACE FUNCTION member_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bound timestamptz;
BEGIN
  SELECT next_expiry INTO bound FROM groups WHERE id = NEW.group_id FOR NO KEY UPDATE;
  IF bound IS NULL OR bound > NEW.expires_at THEN
    UPDATE groups SET next_expiry = NEW.expires_at WHERE id = NEW.group_id;
  END IF;
  RETURN NULL;
END $$;
