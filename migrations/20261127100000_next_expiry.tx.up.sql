-- When the next membership of a group ends, at the earliest, is kept beside its counter: who shows the counter need not look into
-- members to learn that nobody's time is over (docs/decisions/0022). Null: no membership of the group ends.
--
-- Three migrations, each of which locks one table and waits for no other while it does, so that they deadlock with no writer: this
-- one adds the column, for which an instant is enough; the next has it kept; the third fills it, while writes wait and reads go on.
--
-- The index members_expired stays: servers of the version before, beside these, look by it for memberships whose time is over.
ALTER TABLE groups ADD COLUMN next_expiry timestamptz;

-- expired_members counts the members of a group whose time is over. It is no SQL function on purpose: that would be put into the plans of
-- those who call it, and members be opened for every statement that might. The expiry is compared together with the group, so that only
-- the index of a group's expiries will do: the plan is kept, and one made while few had expired would go through all of those of everywhere.
CREATE FUNCTION expired_members(of_group uuid) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
  RETURN (SELECT count(*) FROM members m
    WHERE m.group_id = of_group AND m.expires_at IS NOT NULL AND (m.group_id, m.expires_at) <= (of_group, now()));
END $$;

-- member_ends lowers next_expiry. The group is locked even if the bound is low enough: a sweep that holds it is about to raise the bound, and
-- does not see this membership yet. Roster's own writes hold their groups already.
CREATE FUNCTION member_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bound timestamptz;
BEGIN
  SELECT next_expiry INTO bound FROM groups WHERE id = NEW.group_id FOR NO KEY UPDATE;
  IF bound IS NULL OR bound > NEW.expires_at THEN
    UPDATE groups SET next_expiry = NEW.expires_at WHERE id = NEW.group_id;
  END IF;
  RETURN NULL;
END $$;
