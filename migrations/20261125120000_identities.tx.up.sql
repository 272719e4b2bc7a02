-- Who an issuer of tokens says a user is: (issuer, subject) is the one name that an issuer never gives twice.

CREATE TABLE identities (
  issuer     text COLLATE "C" NOT NULL,
  subject    text COLLATE "C" NOT NULL,
  user_id    uuid NOT NULL,
  claims_at  timestamptz NOT NULL, -- when the token was issued whose claims the user has: an older one changes nothing
  linked_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT identities_pkey PRIMARY KEY (issuer, subject),
  CONSTRAINT identities_user_unique UNIQUE (user_id, issuer),
  CONSTRAINT identities_user_exists FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT identities_issuer_valid CHECK (char_length(issuer) BETWEEN 1 AND 512),
  CONSTRAINT identities_subject_valid CHECK (char_length(subject) BETWEEN 1 AND 256)
);
