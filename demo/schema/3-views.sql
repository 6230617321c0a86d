-- What the control room looks at.

CREATE VIEW open_alert AS
SELECT alert.id, alert.severity, alert.message, alert.raised_at, sensor.code AS sensor, municipality.name AS municipality
  FROM alert
  JOIN sensor ON sensor.id = alert.sensor_id
  JOIN municipality ON municipality.id = sensor.municipality_id
 WHERE alert.acknowledged_at IS NULL;

CREATE VIEW municipality_state AS
SELECT municipality.id, municipality.name, municipality.province,
       count(DISTINCT sensor.id) AS sensors,
       count(DISTINCT sensor.id) FILTER (WHERE sensor.status <> 'in service') AS sensors_out_of_service,
       count(alert.id) AS open_alerts,
       max(sensor.last_seen_at) AS last_seen_at
  FROM municipality
  LEFT JOIN sensor ON sensor.municipality_id = municipality.id
  LEFT JOIN alert ON alert.sensor_id = sensor.id AND alert.acknowledged_at IS NULL
 GROUP BY municipality.id;
