DROP TRIGGER users_authority_deleted ON users;

--bun:split

DROP TRIGGER users_authority_changed ON users;

--bun:split

DROP TRIGGER tokens_authority_deleted ON tokens;

--bun:split

DROP TRIGGER tokens_authority_changed ON tokens;

--bun:split

DROP FUNCTION authority_updated();

--bun:split

DROP FUNCTION authority_deleted();

--bun:split

DROP FUNCTION authority_changed();

--bun:split

DROP TABLE authority;
