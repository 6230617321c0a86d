// The tables of the service's state, each step run once, in order. A step that was released is never changed.
//
// Times are milliseconds since the epoch; documents are JSON.

export const migrations: readonly string[] = [
  `
  CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE job (
    id TEXT PRIMARY KEY,
    cluster TEXT NOT NULL,
    command TEXT NOT NULL,
    request TEXT NOT NULL,
    lane TEXT NOT NULL,
    schedule TEXT,
    due_at INTEGER,
    missed INTEGER NOT NULL,
    state TEXT NOT NULL,
    ended INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    not_before INTEGER,
    approvals_needed INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    exit_code INTEGER,
    error TEXT,
    result TEXT,
    lines INTEGER NOT NULL DEFAULT 0,
    lines_left_out INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX job_open ON job (requested_at) WHERE ended = 0;
  CREATE INDEX job_of_cluster ON job (cluster, id);
  CREATE INDEX job_of_schedule ON job (cluster, schedule, id) WHERE schedule IS NOT NULL;

  CREATE TABLE job_line (
    job TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
    line INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job, line)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE approval (
    job TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
    token TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (job, token)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE schedule_mark (
    cluster TEXT NOT NULL,
    kind TEXT NOT NULL,
    handled_up_to INTEGER,
    last_success INTEGER,
    PRIMARY KEY (cluster, kind)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE child (
    owner TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
  ) STRICT;

  CREATE TABLE session (
    hash BLOB PRIMARY KEY,
    token TEXT NOT NULL REFERENCES token ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    action TEXT NOT NULL,
    cluster TEXT,
    subject TEXT,
    details TEXT NOT NULL,
    address TEXT NOT NULL,
    evidence TEXT
  ) STRICT;
  CREATE INDEX audit_unwritten ON audit (id) WHERE evidence IS NULL;
  `,
  'ALTER TABLE job ADD COLUMN result_text TEXT',
];
