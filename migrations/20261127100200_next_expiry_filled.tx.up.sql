-- Whoever is about to write to a group, or to its people, waits until this is done, and holds no row that it would have to wait for. Reads
-- go on.
LOCK TABLE groups IN EXCLUSIVE MODE;

CREATE INDEX groups_next_expiry ON groups (next_expiry) WHERE next_expiry IS NOT NULL;

-- What the trigger has written meanwhile may be lower, where the membership has gone again, and be it.
UPDATE groups g SET next_expiry = m.at
FROM (SELECT group_id, min(expires_at) AS at FROM members WHERE expires_at IS NOT NULL GROUP BY group_id) m
WHERE m.group_id = g.id AND (g.next_expiry IS NULL OR g.next_expiry > m.at);
