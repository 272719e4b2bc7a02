DROP INDEX changes_of_actor;
DROP INDEX tokens_revoked, tokens_description_trgm, tokens_by_expiry;
DROP INDEX users_by_role;
DROP INDEX groups_external_id_search, users_external_id_search;
CREATE INDEX users_external_id_search ON users (external_id_key) WHERE external_id IS NOT NULL;
CREATE INDEX groups_external_id_search ON groups (external_id_key) WHERE external_id IS NOT NULL;
DROP INDEX groups_by_access, groups_of_directories;
DROP INDEX members_of_user;
CREATE INDEX members_of_user ON members (user_id, group_id);
