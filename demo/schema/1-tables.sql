-- The tables of a national bulk-water network. Keys of the large table follow after loading (2-keys.sql).

CREATE TYPE sensor_kind AS ENUM ('pressure', 'flow', 'level', 'quality', 'temperature');
CREATE TYPE alert_severity AS ENUM ('information', 'warning', 'critical');

CREATE TABLE municipality (
  id          integer PRIMARY KEY,
  code        text NOT NULL UNIQUE CHECK (code ~ '^[A-Z]{3}[0-9]{2}$'),
  name        text NOT NULL UNIQUE,
  province    text NOT NULL,
  population  integer NOT NULL CHECK (population > 0),
  position    jsonb NOT NULL CHECK (position ->> 'type' = 'Point')
);

CREATE TABLE reservoir (
  id               integer PRIMARY KEY,
  municipality_id  integer NOT NULL REFERENCES municipality,
  name             text NOT NULL,
  capacity_ml      numeric(10, 1) NOT NULL CHECK (capacity_ml > 0),
  position         jsonb NOT NULL CHECK (position ->> 'type' = 'Point'),
  UNIQUE (municipality_id, name)
);

CREATE TABLE pipeline (
  id                 integer PRIMARY KEY,
  code               text NOT NULL UNIQUE,
  municipality_id    integer NOT NULL REFERENCES municipality,
  from_reservoir_id  integer NOT NULL REFERENCES reservoir,
  to_reservoir_id    integer NOT NULL REFERENCES reservoir,
  material           text NOT NULL,
  diameter_mm        integer NOT NULL CHECK (diameter_mm BETWEEN 100 AND 3500),
  length_m           integer NOT NULL CHECK (length_m > 0),
  commissioned       date NOT NULL,
  -- GeoJSON (RFC 7946), longitude before latitude
  geometry           jsonb NOT NULL CHECK (geometry ->> 'type' = 'LineString'),
  CHECK (from_reservoir_id <> to_reservoir_id)
);

CREATE TABLE sensor (
  id               integer PRIMARY KEY,
  code             text NOT NULL UNIQUE,
  kind             sensor_kind NOT NULL,
  unit             text NOT NULL,
  municipality_id  integer NOT NULL REFERENCES municipality,
  pipeline_id      integer REFERENCES pipeline,
  reservoir_id     integer REFERENCES reservoir,
  nominal_value    real NOT NULL,
  -- how far the daily demand moves the value, as a share of the nominal one; pressure falls where flow rises
  daily_swing      real NOT NULL,
  status           text NOT NULL DEFAULT 'in service' CHECK (status IN ('in service', 'maintenance', 'faulty')),
  installed_on     date NOT NULL,
  last_seen_at     timestamptz,
  CHECK (num_nonnulls(pipeline_id, reservoir_id) = 1)
);

CREATE TABLE alert (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sensor_id        integer NOT NULL REFERENCES sensor,
  severity         alert_severity NOT NULL,
  message          text NOT NULL,
  raised_at        timestamptz NOT NULL,
  acknowledged_at  timestamptz,
  acknowledged_by  text,
  CHECK (acknowledged_at >= raised_at),
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);

CREATE TABLE reading (
  at         timestamptz NOT NULL,
  sensor_id  integer NOT NULL,
  value      real NOT NULL,
  -- 0 good, 1 uncertain, 2 bad
  quality    smallint NOT NULL
) PARTITION BY RANGE (at);

-- What a writer wrote, so that lost commits can be counted: one row a transaction, in the same transaction.
CREATE TABLE demo_commit (
  client      integer NOT NULL,
  sequence    integer NOT NULL,
  written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (client, sequence)
);
