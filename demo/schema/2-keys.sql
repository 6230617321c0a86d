-- Keys and indexes made once the history is loaded, which is several times faster than keeping them up to date.

ALTER TABLE reading ADD PRIMARY KEY (sensor_id, at);
ALTER TABLE reading ADD FOREIGN KEY (sensor_id) REFERENCES sensor;
CREATE INDEX reading_at ON reading USING brin (at);
CREATE INDEX sensor_municipality ON sensor (municipality_id, kind);
CREATE INDEX sensor_pipeline ON sensor (pipeline_id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX sensor_reservoir ON sensor (reservoir_id) WHERE reservoir_id IS NOT NULL;
CREATE INDEX pipeline_municipality ON pipeline (municipality_id);
CREATE INDEX alert_sensor ON alert (sensor_id, raised_at DESC);
CREATE INDEX alert_open ON alert (raised_at) WHERE acknowledged_at IS NULL;
