-- What the control room looks at.

-- Alerts that stand: what they tell of has not gone away, acknowledged or not.
CREATE VIEW standing_alert AS
SELECT alert.id, alert.severity, alert.message, alert.raised_at, alert.acknowledged_at, sensor.code AS sensor,
       metering_zone.name AS zone, municipality.name AS municipality
  FROM alert
  LEFT JOIN sensor ON sensor.id = alert.sensor_id
  LEFT JOIN metering_zone ON metering_zone.id = alert.zone_id
  LEFT JOIN municipality ON municipality.id = sensor.municipality_id
 WHERE alert.cleared_at IS NULL;

-- One word a sensor: `out of service`, `missing`, else the gravest of its standing alerts, else `normal`.
CREATE VIEW sensor_state AS
SELECT sensor.id,
       CASE WHEN sensor.status <> 'in service' THEN 'out of service'
            WHEN standing.missing THEN 'missing'
            ELSE coalesce(standing.gravest::text, 'normal') END AS state
  FROM sensor
  LEFT JOIN LATERAL (
    SELECT bool_or(alert_rule.kind = 'missing') AS missing, max(alert.severity) AS gravest
      FROM alert
      JOIN alert_rule ON alert_rule.id = alert.rule_id
     WHERE alert.sensor_id = sensor.id AND alert.cleared_at IS NULL) AS standing ON true;

CREATE VIEW municipality_state AS
SELECT municipality.id, municipality.name, municipality.province,
       count(DISTINCT sensor.id) AS sensors,
       count(DISTINCT sensor.id) FILTER (WHERE sensor.status <> 'in service') AS sensors_out_of_service,
       count(alert.id) AS standing_alerts
  FROM municipality
  LEFT JOIN sensor ON sensor.municipality_id = municipality.id
  LEFT JOIN alert ON alert.sensor_id = sensor.id AND alert.cleared_at IS NULL
 GROUP BY municipality.id;
