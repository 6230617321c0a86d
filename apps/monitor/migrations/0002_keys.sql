-- Keys and indexes, made after a history was loaded where there is one.

ALTER TABLE reading ADD PRIMARY KEY (sensor_id, at);
ALTER TABLE reading ADD FOREIGN KEY (sensor_id) REFERENCES sensor;
CREATE INDEX reading_at ON reading USING brin (at);
CREATE INDEX ingest_batch_received ON ingest_batch USING brin (received_at);
CREATE INDEX sensor_municipality ON sensor (municipality_id, kind);
CREATE INDEX sensor_pipeline ON sensor (pipeline_id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX sensor_site ON sensor (site_id) WHERE site_id IS NOT NULL;
CREATE INDEX pipeline_municipality ON pipeline (municipality_id);
CREATE INDEX alert_sensor ON alert (sensor_id, raised_at DESC);
CREATE INDEX alert_unacknowledged ON alert (raised_at) WHERE acknowledged_at IS NULL;
-- Of one thing an alert is raised once until it is cleared.
CREATE UNIQUE INDEX alert_standing ON alert (rule_id, sensor_id, zone_id) NULLS NOT DISTINCT WHERE cleared_at IS NULL;
