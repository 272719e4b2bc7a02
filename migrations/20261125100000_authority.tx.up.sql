-- Servers remember whom a credential belongs to, and for how long. The epoch counts the events that can make such a memory
-- wrong: a request that was let in by memory compares it in its first statement, so that a revocation is effective at once,
-- on every server. Triggers count, so that a statement by hand does too.
CREATE TABLE authority (
  one boolean NOT NULL DEFAULT true,
  epoch bigint NOT NULL,
  CONSTRAINT authority_pkey PRIMARY KEY (one),
  CONSTRAINT authority_one_row CHECK (one)
);

--bun:split

INSERT INTO authority (epoch) VALUES (1);

--bun:split

-- Of a table that was never analyzed Postgres expects thousands of rows, and this one is too small to be analyzed by itself.
ANALYZE authority;

--bun:split

CREATE FUNCTION authority_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE authority SET epoch = epoch + 1;
  RETURN NULL;
END $$;

--bun:split

CREATE FUNCTION authority_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM gone) THEN
    UPDATE authority SET epoch = epoch + 1;
  END IF;
  RETURN NULL;
END $$;

--bun:split

CREATE TRIGGER tokens_authority_changed
  AFTER UPDATE OF hash, previous_hash, previous_until, scopes, expires_at, revoked_at, group_id, user_id, parent_id ON tokens
  FOR EACH STATEMENT EXECUTE FUNCTION authority_changed();

--bun:split

CREATE TRIGGER tokens_authority_deleted AFTER DELETE ON tokens
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION authority_deleted();

--bun:split

CREATE FUNCTION authority_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM before b JOIN after a USING (id) WHERE (b.username, b.roles) IS DISTINCT FROM (a.username, a.roles)) THEN
    UPDATE authority SET epoch = epoch + 1;
  END IF;
  RETURN NULL;
END $$;

--bun:split

CREATE TRIGGER users_authority_changed AFTER UPDATE ON users
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION authority_updated();

--bun:split

CREATE TRIGGER users_authority_deleted AFTER DELETE ON users
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION authority_deleted();
