-- Whether a membership has expired is read beside it, without a look at the table.
DROP INDEX members_of_user;
CREATE INDEX members_of_user ON members (user_id, group_id) INCLUDE (expires_at);

-- The kinds of groups that most are not.
CREATE INDEX groups_of_directories ON groups (name_key) WHERE type = 'DIRECTORY';
CREATE INDEX groups_by_access ON groups (access_type, name_key) WHERE access_type <> 'READ_ONLY';

-- The folded id is what filters compare, and what tells that there is one.
DROP INDEX groups_external_id_search, users_external_id_search;
CREATE INDEX groups_external_id_search ON groups (external_id_key) WHERE external_id_key IS NOT NULL;
CREATE INDEX users_external_id_search ON users (external_id_key) WHERE external_id_key IS NOT NULL;

CREATE INDEX users_by_role ON users USING gin (roles) WHERE roles <> '{}';

CREATE INDEX tokens_by_expiry ON tokens (coalesce(expires_at, 'infinity'), id);
CREATE INDEX tokens_description_trgm ON tokens USING gin (description_key gin_trgm_ops);
CREATE INDEX tokens_revoked ON tokens (created_at, id) WHERE revoked_at IS NOT NULL;

-- What somebody did.
CREATE INDEX changes_of_actor ON changes (actor, tx, seq);
