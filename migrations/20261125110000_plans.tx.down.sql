DROP INDEX changes_of_actor;
DROP INDEX tokens_revoked, tokens_description_trgm, tokens_by_expiry;
DROP INDEX users_by_role;
DROP INDEX groups_by_access, groups_of_directories;
DROP INDEX members_of_user;
CREATE INDEX members_of_user ON members (user_id, group_id);
