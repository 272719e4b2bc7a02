-- What was answered to writes that came with an Idempotency-Key, so that a repetition is answered the same and done no second time.
-- A key is its caller's: the token's or, of callers whom an issuer vouches for, the user's. Neither is a foreign key, so that no
-- deletion waits for keys; they go by themselves a day later. fingerprint is a keyed hash of the request.
CREATE TABLE idempotency_keys (
  caller      uuid NOT NULL,
  key         text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
  CONSTRAINT idempotency_keys_key_valid CHECK (char_length(key) BETWEEN 1 AND 255)
);
CREATE INDEX idempotency_keys_by_created ON idempotency_keys (created_at);

-- A request may write more than once: place says which of its writes it is. No answer is kept of a write that made a secret: the
-- token tells whose.
CREATE TABLE idempotency_answers (
  caller   uuid NOT NULL,
  key      text COLLATE "C" NOT NULL,
  place    text COLLATE "C" NOT NULL,
  answer   bytea,
  token_id uuid,
  CONSTRAINT idempotency_answers_pkey PRIMARY KEY (caller, key, place),
  CONSTRAINT idempotency_answers_key_exists FOREIGN KEY (caller, key) REFERENCES idempotency_keys (caller, key) ON DELETE CASCADE,
  CONSTRAINT idempotency_answers_one_kind CHECK (num_nonnulls(answer, token_id) = 1)
);
