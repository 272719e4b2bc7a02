-- Who is told of changes by HTTP. The place of a webhook is one of the change log, as a cursor of the feed is: what stands before it has
-- been delivered. One server at a time delivers to a webhook, whoever holds its lease; a lease that was not given back ends by itself.

CREATE TABLE webhooks (
  id              uuid PRIMARY KEY,
  url             text NOT NULL,
  description     text NOT NULL DEFAULT '',
  filter          jsonb, -- of changes, as the API spells it; null: all of them
  enabled         boolean NOT NULL DEFAULT true,
  secret          bytea NOT NULL, -- encrypted; the same of the one before it, which signs for some time yet
  previous_secret bytea,
  previous_until  timestamptz,
  owner_id        uuid, -- whose rights decide what is delivered
  token_id        uuid, -- with which the owner made it, or turned it on: when it is revoked, the webhook is dead
  epoch           text NOT NULL,
  tx              xid8 NOT NULL,
  seq             bigint NOT NULL,
  state           text NOT NULL DEFAULT 'ACTIVE',
  reason          text,
  failing_since   timestamptz,
  attempts        integer NOT NULL DEFAULT 0, -- of the change that comes next, so far
  next_at         timestamptz NOT NULL DEFAULT now(),
  delivery_id     uuid, -- the row in webhook_deliveries of the change that is being tried again
  sent            bigint NOT NULL DEFAULT 0,
  turn            bigint NOT NULL DEFAULT 0, -- moves when what is being delivered is void
  lease           text,
  lease_until     timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT webhooks_owner_exists FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL,
  CONSTRAINT webhooks_token_exists FOREIGN KEY (token_id) REFERENCES tokens (id) ON DELETE SET NULL,
  CONSTRAINT webhooks_url_valid CHECK (char_length(url) BETWEEN 1 AND 2048),
  CONSTRAINT webhooks_description_valid CHECK (char_length(description) <= 4096),
  CONSTRAINT webhooks_state_known CHECK (state IN ('ACTIVE', 'FAILING', 'DEAD')),
  CONSTRAINT webhooks_reason_known CHECK (reason IN ('UNREACHABLE', 'GONE', 'RESYNC', 'OWNER', 'SECRET')),
  CONSTRAINT webhooks_dead_for_a_reason CHECK ((state = 'DEAD') = (reason IS NOT NULL)),
  CONSTRAINT webhooks_failing_since CHECK ((state = 'FAILING') <= (failing_since IS NOT NULL)),
  CONSTRAINT webhooks_lease_ends CHECK ((lease IS NULL) = (lease_until IS NULL)),
  CONSTRAINT webhooks_previous_ends CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);
CREATE INDEX webhooks_of_owner ON webhooks (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX webhooks_of_token ON webhooks (token_id) WHERE token_id IS NOT NULL;

-- What was sent, the last thousand of each webhook: a row for each change, however often it was tried.
CREATE TABLE webhook_deliveries (
  id          uuid PRIMARY KEY,
  webhook_id  uuid NOT NULL,
  number      bigint NOT NULL,
  type        text NOT NULL,
  epoch       text NOT NULL DEFAULT '', -- with tx and seq the place of the change; there is none for a test
  tx          xid8,
  seq         bigint,
  at          timestamptz NOT NULL DEFAULT now(), -- of the last attempt
  attempts    integer NOT NULL,
  status      integer, -- of the answer, if there was one
  duration_ms integer NOT NULL,
  error       text,
  CONSTRAINT webhook_deliveries_number_unique UNIQUE (webhook_id, number),
  CONSTRAINT webhook_deliveries_webhook_exists FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
  CONSTRAINT webhook_deliveries_place_whole CHECK ((tx IS NULL) = (seq IS NULL))
);

-- A write that made a webhook's secret is kept for its repetition as that webhook.
ALTER TABLE idempotency_answers ADD COLUMN webhook_id uuid;
ALTER TABLE idempotency_answers DROP CONSTRAINT idempotency_answers_one_kind;
ALTER TABLE idempotency_answers ADD CONSTRAINT idempotency_answers_one_kind CHECK (num_nonnulls(answer, token_id, webhook_id) = 1);
