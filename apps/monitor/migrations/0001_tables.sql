-- The tables of a bulk-water utility. The keys of the large table follow in 0002_keys.sql, so that a history can be loaded
-- before they are made, which is several times faster. Positions and lines are GeoJSON (RFC 7946): longitude before latitude.

CREATE TYPE sensor_kind AS ENUM ('pressure', 'flow', 'level', 'ph', 'turbidity', 'chlorine');
CREATE TYPE alert_severity AS ENUM ('information', 'warning', 'critical');

CREATE TABLE municipality (
  id          integer PRIMARY KEY,
  code        text NOT NULL UNIQUE CHECK (code ~ '^[A-Z]{3}[0-9]{2}$'),
  name        text NOT NULL UNIQUE,
  province    text NOT NULL,
  population  integer NOT NULL CHECK (population > 0),
  position    jsonb NOT NULL CHECK (position ->> 'type' = 'Point')
);

-- Where mains begin and end. Those of the bulk system belong to no municipality.
CREATE TABLE site (
  id               integer PRIMARY KEY,
  code             text NOT NULL UNIQUE,
  kind             text NOT NULL CHECK (kind IN ('source', 'works', 'pump station', 'reservoir', 'chamber', 'offtake')),
  name             text NOT NULL UNIQUE,
  municipality_id  integer REFERENCES municipality,
  -- of reservoirs, in megalitres
  capacity_ml      numeric(10, 1) CHECK (capacity_ml > 0),
  position         jsonb NOT NULL CHECK (position ->> 'type' = 'Point')
);

CREATE TABLE pipeline (
  id               integer PRIMARY KEY,
  code             text NOT NULL UNIQUE,
  name             text NOT NULL,
  municipality_id  integer REFERENCES municipality,
  from_site_id     integer NOT NULL REFERENCES site,
  to_site_id       integer NOT NULL REFERENCES site,
  material         text NOT NULL,
  diameter_mm      integer NOT NULL CHECK (diameter_mm BETWEEN 100 AND 3500),
  length_m         integer NOT NULL CHECK (length_m > 0),
  commissioned     date NOT NULL,
  geometry         jsonb NOT NULL CHECK (geometry ->> 'type' = 'LineString'),
  CHECK (from_site_id <> to_site_id)
);

CREATE TABLE sensor (
  id               integer PRIMARY KEY,
  code             text NOT NULL UNIQUE,
  kind             sensor_kind NOT NULL,
  unit             text NOT NULL,
  municipality_id  integer REFERENCES municipality,
  pipeline_id      integer REFERENCES pipeline,
  site_id          integer REFERENCES site,
  nominal_value    real NOT NULL,
  -- how far the daily demand moves the value, as a share of the nominal one; pressure falls where flow rises
  daily_swing      real NOT NULL DEFAULT 0,
  status           text NOT NULL DEFAULT 'in service' CHECK (status IN ('in service', 'maintenance', 'faulty')),
  installed_on     date NOT NULL,
  CHECK (num_nonnulls(pipeline_id, site_id) = 1)
);

-- A part of the network whose flow in and out is metered: what goes in and does not come out leaks.
CREATE TABLE metering_zone (
  id    integer PRIMARY KEY,
  name  text NOT NULL UNIQUE
);

CREATE TABLE zone_meter (
  zone_id    integer NOT NULL REFERENCES metering_zone ON DELETE CASCADE,
  sensor_id  integer NOT NULL REFERENCES sensor ON DELETE CASCADE,
  -- 1 where a positive flow goes into the zone, -1 where it comes out
  direction  smallint NOT NULL CHECK (direction IN (-1, 1)),
  PRIMARY KEY (zone_id, sensor_id)
);

CREATE TABLE alert_rule (
  id           text PRIMARY KEY,
  kind         text NOT NULL CHECK (kind IN ('above', 'below', 'rate', 'missing', 'silence', 'balance')),
  -- null for rules of zones and of the telemetry as a whole
  sensor_kind  sensor_kind,
  severity     alert_severity NOT NULL,
  message      text NOT NULL,
  -- raised when the measure passes this, cleared when it is back behind `clears_at`: the gap keeps alerts from flapping
  raises_at    real NOT NULL,
  clears_at    real NOT NULL,
  -- so many times in a row
  count        smallint NOT NULL DEFAULT 1 CHECK (count > 0),
  -- limits are shares of the sensor's nominal value
  relative     boolean NOT NULL DEFAULT false,
  enabled      boolean NOT NULL DEFAULT true,
  CHECK (CASE WHEN kind = 'below' THEN clears_at >= raises_at ELSE clears_at <= raises_at END)
);

CREATE TABLE alert (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule_id          text NOT NULL REFERENCES alert_rule,
  sensor_id        integer REFERENCES sensor,
  zone_id          integer REFERENCES metering_zone,
  severity         alert_severity NOT NULL,
  message          text NOT NULL,
  -- what was measured when it was raised
  value            real,
  raised_at        timestamptz NOT NULL,
  acknowledged_at  timestamptz,
  acknowledged_by  text,
  cleared_at       timestamptz,
  CHECK (acknowledged_at >= raised_at),
  CHECK (cleared_at >= raised_at),
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);

CREATE TABLE reading (
  at         timestamptz NOT NULL,
  sensor_id  integer NOT NULL,
  value      real NOT NULL,
  -- 0 good, 1 uncertain, 2 bad
  quality    smallint NOT NULL CHECK (quality BETWEEN 0 AND 2)
) PARTITION BY RANGE (at);

-- One row a batch, in the transaction of its readings: who sent it, under which key. A batch that comes again is known by
-- it, and after a disaster the batches that were acknowledged are counted against it.
CREATE TABLE ingest_batch (
  source       text NOT NULL,
  batch        text NOT NULL,
  readings     integer NOT NULL CHECK (readings >= 0),
  -- SHA-256 of the readings, null where the sender does without: the same key with other readings is a mistake of the sender
  digest       bytea,
  received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (source, batch)
);

-- A partition of `reading` a day of UTC, from the first day to the last, both included. Returns how many it made.
CREATE FUNCTION make_reading_partitions(first date, last date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  day date;
  made integer := 0;
  name text;
BEGIN
  FOR day IN SELECT generate_series(first::timestamp, last::timestamp, interval '1 day')::date LOOP
    name := 'reading_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I PARTITION OF reading FOR VALUES FROM (%L) TO (%L)',
                   name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

-- Drops the partitions of days before that one. Returns how many.
CREATE FUNCTION drop_reading_partitions(before date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  dropped integer := 0;
  name text;
BEGIN
  FOR name IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = 'reading'::regclass AND relname < 'reading_' || to_char(before, 'YYYYMMDD')
     ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %I', name);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
