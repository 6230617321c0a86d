-- The rules that alerts are raised by. `raises_at` and `clears_at` are in the sensor's unit; relative ones are shares of its
-- nominal value. Of `rate` they are changes a minute, of `missing` and `silence` seconds without a reading, of `balance` the
-- share of a zone's inflow that does not come out.

INSERT INTO alert_rule (id, kind, sensor_kind, severity, message, raises_at, clears_at, count, relative) VALUES
  ('pressure-low',      'below',   'pressure',  'critical',    'Pressure far below normal: supply at risk',          0.6,  0.7,  2, true),
  ('pressure-high',     'above',   'pressure',  'warning',     'Pressure far above normal: risk of a burst',         1.45, 1.35, 2, true),
  ('pressure-drop',     'rate',    'pressure',  'warning',     'Pressure changes abruptly: burst or pump trip',      1.6,  0.5,  1, true),
  ('flow-high',         'above',   'flow',      'warning',     'Flow far above normal: possible burst downstream',   3,    2.6,  3, true),
  ('level-low',         'below',   'level',     'warning',     'Reservoir low',                                      30,   38,   2, false),
  ('level-reserve',     'below',   'level',     'critical',    'Reservoir below the reserve for fire fighting',      18,   25,   2, false),
  ('level-high',        'above',   'level',     'warning',     'Reservoir about to overflow',                        98,   95,   2, false),
  ('level-falls',       'rate',    'level',     'critical',    'Reservoir level changes faster than it can',         6,    1,    1, false),
  ('ph-low',            'below',   'ph',        'critical',    'pH below the standard',                              6.5,  6.8,  3, false),
  ('ph-high',           'above',   'ph',        'warning',     'pH above the standard',                              9.2,  8.9,  3, false),
  ('turbidity-high',    'above',   'turbidity', 'warning',     'Turbidity above the operating limit',                1,    0.8,  3, false),
  ('turbidity-unsafe',  'above',   'turbidity', 'critical',    'Turbidity above the health limit',                   5,    1,    2, false),
  ('chlorine-low',      'below',   'chlorine',  'critical',    'Free chlorine below the limit',                      0.2,  0.3,  3, false),
  ('chlorine-high',     'above',   'chlorine',  'warning',     'Free chlorine above the limit',                      4,    3,    3, false),
  ('sensor-missing',    'missing', NULL,        'warning',     'Sensor sends nothing usable',                          300,  300,  1, false),
  ('telemetry-silent',  'silence', NULL,        'critical',    'No sensor sends anything',                           120,  120,  1, false),
  ('zone-leak',         'balance', NULL,        'critical',    'More water goes into the zone than comes out: leak', 0.04, 0.02, 3, false);
