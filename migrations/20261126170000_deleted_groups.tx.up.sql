-- What is kept of a deleted group, so that it can be brought back: its row and those of its people, actions and worker models, in the columns
-- that they had. Counters, folded names and the time of the last change are made anew; tokens are gone for good. Users are no foreign
-- keys: who is deleted meanwhile does not come back, and nobody's deletion waits for what is kept.

CREATE TABLE deleted_groups (
  id                  uuid PRIMARY KEY,
  number              integer NOT NULL,
  handle              text COLLATE "C" NOT NULL,
  name                text NOT NULL,
  description         text NOT NULL,
  type                text NOT NULL,
  external_id         text,
  access_type         text NOT NULL,
  folder_owner        uuid,
  use_default_storage boolean NOT NULL,
  public              boolean NOT NULL,
  tags                jsonb NOT NULL,
  version             integer NOT NULL,
  created_at          timestamptz NOT NULL,
  created_by          uuid,
  -- A transaction may delete two groups of one name, the one after the other: the later one is the last.
  deleted_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  name_key            text COLLATE "C" GENERATED ALWAYS AS (lower(name)) STORED,
  CONSTRAINT deleted_groups_number_unique UNIQUE (number)
);
-- A name, a handle or an external id is the last deleted group's that had it.
CREATE INDEX deleted_groups_by_name ON deleted_groups (name_key, deleted_at);
CREATE INDEX deleted_groups_by_handle ON deleted_groups (handle, deleted_at);
CREATE INDEX deleted_groups_by_external_id ON deleted_groups (external_id, deleted_at) WHERE external_id IS NOT NULL;
CREATE INDEX deleted_groups_by_deleted ON deleted_groups (deleted_at);

CREATE TABLE deleted_members (
  group_id   uuid NOT NULL,
  user_id    uuid NOT NULL,
  id         uuid NOT NULL,
  added_at   timestamptz NOT NULL,
  added_by   uuid,
  via        text NOT NULL,
  expires_at timestamptz,
  CONSTRAINT deleted_members_pkey PRIMARY KEY (group_id, user_id),
  CONSTRAINT deleted_members_group_exists FOREIGN KEY (group_id) REFERENCES deleted_groups (id) ON DELETE CASCADE
);

CREATE TABLE deleted_admins (
  group_id uuid NOT NULL,
  user_id  uuid NOT NULL,
  id       uuid NOT NULL,
  added_at timestamptz NOT NULL,
  added_by uuid,
  via      text NOT NULL,
  CONSTRAINT deleted_admins_pkey PRIMARY KEY (group_id, user_id),
  CONSTRAINT deleted_admins_group_exists FOREIGN KEY (group_id) REFERENCES deleted_groups (id) ON DELETE CASCADE
);

CREATE TABLE deleted_actions (
  group_id     uuid NOT NULL,
  id           uuid NOT NULL,
  number       integer NOT NULL,
  name         text NOT NULL,
  type         text NOT NULL,
  description  text NOT NULL,
  enabled      boolean NOT NULL,
  deprecated   boolean NOT NULL,
  requirements jsonb NOT NULL,
  parameters   jsonb NOT NULL,
  CONSTRAINT deleted_actions_pkey PRIMARY KEY (group_id, id),
  CONSTRAINT deleted_actions_group_exists FOREIGN KEY (group_id) REFERENCES deleted_groups (id) ON DELETE CASCADE
);

CREATE TABLE deleted_worker_models (
  group_id                uuid NOT NULL,
  id                      uuid NOT NULL,
  number                  integer NOT NULL,
  name                    text NOT NULL,
  description             text NOT NULL,
  type                    text NOT NULL,
  disabled                boolean NOT NULL,
  restricted              boolean NOT NULL,
  deprecated              boolean NOT NULL,
  image                   text NOT NULL,
  docker                  jsonb,
  virtual_machine         jsonb,
  registered_capabilities jsonb NOT NULL,
  created_by              uuid,
  updated_at              timestamptz NOT NULL,
  CONSTRAINT deleted_worker_models_pkey PRIMARY KEY (group_id, id),
  CONSTRAINT deleted_worker_models_group_exists FOREIGN KEY (group_id) REFERENCES deleted_groups (id) ON DELETE CASCADE
);
