// The documents that commands print with --json: a contract with programs.
//
// 1. Keys are snake_case; units stand at the end (`_seconds`, `_bytes`); times are RFC 3339 in UTC; sizes are numbers.
// 2. New fields may be added; what is there keeps its name, type and meaning.
// 3. LSNs and transaction ids are text, because they do not fit a JSON number.

export * from './backup.ts';
export * from './configuration.ts';
export * from './copy.ts';
export * from './dump.ts';
export * from './doctor.ts';
export * from './error.ts';
export * from './evidence.ts';
export * from './expire.ts';
export * from './hold.ts';
export * from './key.ts';
export * from './lab.ts';
export * from './bucket.ts';
export * from './recover.ts';
export * from './seal.ts';
export * from './tier.ts';
export * from './reference.ts';
export * from './registry.ts';
export * from './repair.ts';
export * from './repository.ts';
export * from './restore.ts';
export * from './rewind.ts';
export * from './serve.ts';
export * from './storage.ts';
export * from './verification.ts';
export * from './wal.ts';
