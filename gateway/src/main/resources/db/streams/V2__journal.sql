-- Events and snapshots of persistent actors. The columns are those of pekko-persistence-r2dbc, so that it
-- can take the place of dev.hawser.gateway.journal; ids are longer here, and there may be several
-- snapshots of one actor.
CREATE TABLE event_journal (
  slice              int NOT NULL,
  entity_type        varchar(255) NOT NULL,
  persistence_id     varchar(512) NOT NULL,
  seq_nr             bigint NOT NULL,
  db_timestamp       timestamptz NOT NULL,
  event_ser_id       int NOT NULL,
  event_ser_manifest varchar(255) NOT NULL,
  event_payload      bytea NOT NULL,
  -- Kept without its payload for its sequence number, when all before it is gone.
  deleted            boolean NOT NULL DEFAULT false,
  writer             varchar(255) NOT NULL,
  adapter_manifest   varchar(255),
  tags               text[],
  meta_ser_id        int,
  meta_ser_manifest  varchar(255),
  meta_payload       bytea,
  PRIMARY KEY (persistence_id, seq_nr)
);

CREATE TABLE snapshot (
  slice              int NOT NULL,
  entity_type        varchar(255) NOT NULL,
  persistence_id     varchar(512) NOT NULL,
  seq_nr             bigint NOT NULL,
  write_timestamp    bigint NOT NULL,
  ser_id             int NOT NULL,
  ser_manifest       varchar(255) NOT NULL,
  snapshot           bytea NOT NULL,
  meta_ser_id        int,
  meta_ser_manifest  varchar(255),
  meta_payload       bytea,
  PRIMARY KEY (persistence_id, seq_nr)
);
