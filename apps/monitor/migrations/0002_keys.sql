-- Keys and indexes, made after a history was loaded where there is one.

ALTER TABLE reading ADD PRIMARY KEY (sensor_id, at);
CREATE INDEX reading_at ON reading USING brin (at);
CREATE INDEX ingest_batch_received ON ingest_batch USING brin (received_at);
CREATE INDEX sensor_municipality ON sensor (municipality_id, kind);
CREATE INDEX sensor_pipeline ON sensor (pipeline_id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX sensor_site ON sensor (site_id) WHERE site_id IS NOT NULL;
CREATE INDEX pipeline_municipality ON pipeline (municipality_id);
CREATE INDEX alert_sensor ON alert (sensor_id, raised_at DESC);
CREATE INDEX alert_unacknowledged ON alert (raised_at) WHERE acknowledged_at IS NULL;
-- What a foreign key from `reading` to `sensor` would keep, asked once a statement instead of once a row, which takes in twice as
-- many readings a second. The lock lets the two triggers not overlook one another: a sensor is removed once in years.
CREATE FUNCTION check_sensors_of_readings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  missing integer;
BEGIN
  SELECT sensor_id INTO missing FROM added WHERE NOT EXISTS (SELECT FROM sensor WHERE id = added.sensor_id) LIMIT 1;
  IF FOUND THEN
    RAISE foreign_key_violation USING MESSAGE = format('reading refers to sensor %s, which is not there', missing);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION keep_sensor_with_readings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE reading IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM reading WHERE sensor_id = OLD.id) THEN
    RAISE foreign_key_violation USING MESSAGE = format('sensor %s has readings; take it out of service instead', OLD.id);
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER sensors_of_readings AFTER INSERT ON reading REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_sensors_of_readings();
CREATE TRIGGER sensors_of_changed_readings AFTER UPDATE ON reading REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_sensors_of_readings();
CREATE TRIGGER sensor_with_readings BEFORE DELETE OR UPDATE OF id ON sensor
  FOR EACH ROW EXECUTE FUNCTION keep_sensor_with_readings();

-- Of one thing an alert is raised once until it is cleared.
CREATE UNIQUE INDEX alert_standing ON alert (rule_id, sensor_id, zone_id) NULLS NOT DISTINCT WHERE cleared_at IS NULL;
