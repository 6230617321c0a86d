// Who may call: tokens for programs, sessions for the console.
//
// 1. A token is 32 random bytes; of it only the SHA-256 is kept. Nobody guesses so much, so a slow hash would add nothing,
//    and finding it by its hash tells a stopwatch nothing of the others.
// 2. A session is made from a token and dies with it. Its secret goes into a cookie; the token against forged requests is a
//    hash of that secret, so that it need not be kept.
// 3. A token is revoked, never deleted: the audit names it.

import { createHash, randomBytes } from 'node:crypto';
import { type Role, SpillwayError, type TokenDocument } from '@spillway/contract';
import { iso, isoOrNull } from '../clock.ts';
import type { Database } from './database.ts';

export interface Caller {
  /** Id of the token. */
  readonly token: string;
  readonly name: string;
  readonly role: Role;
  /** How he showed who he is. */
  readonly by: 'token' | 'session';
}

export interface Session {
  readonly secret: string;
  readonly csrf: string;
  readonly expiresAt: number;
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly revoked_at: number | null;
}

const TOKENS_MAX = 1000;
const FORGET_MS = 30 * 86_400_000;
const SESSIONS_MAX = 10_000;
/** Last use is written down so often at most. */
const USED_EVERY_MS = 60_000;
const COLUMNS = 'id, name, role, created_at, created_by, expires_at, last_used_at, revoked_at';

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

export const csrfOf = (secret: string): string => sha256(`csrf ${secret}`).toString('base64url');

export class TokenStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  create(of: {
    readonly name: string;
    readonly role: Role;
    readonly createdBy: string;
    readonly now: number;
    readonly expiresAt?: number | undefined;
  }): { readonly token: string; readonly document: TokenDocument } {
    // Those of logins end with their session, and are forgotten a month later: the audit has their names.
    this.#database.run("DELETE FROM token WHERE created_by = 'openid' AND expires_at < ?", of.now - FORGET_MS);
    const alive = this.list().filter(
      ({ revoked_at: revoked, expires_at: expires }) =>
        revoked === null && (expires === null || Date.parse(expires) > of.now),
    );
    if (alive.length >= TOKENS_MAX) {
      throw new SpillwayError('SPW_USAGE', `there are ${TOKENS_MAX} tokens already`, {
        hint: 'revoke those that nobody uses: spillway token list',
      });
    }
    const id = randomBytes(4).toString('hex');
    const token = `spw_${id}_${randomBytes(32).toString('base64url')}`;
    this.#database.run(
      'INSERT INTO token (id, name, role, hash, created_at, created_by, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      of.name,
      of.role,
      sha256(token),
      of.now,
      of.createdBy,
      of.expiresAt ?? null,
    );
    return { token, document: this.need(id) };
  }

  list(): readonly TokenDocument[] {
    return this.#database
      .all<TokenRow>(`SELECT ${COLUMNS} FROM token ORDER BY created_at, id`)
      .map((row) => documentOf(row));
  }

  need(id: string): TokenDocument {
    const row = this.#database.get<TokenRow>(`SELECT ${COLUMNS} FROM token WHERE id = ?`, id);
    if (row === undefined)
      throw new SpillwayError('SPW_USAGE', `there is no token ${id}`, { hint: 'see: spillway token list' });
    return documentOf(row);
  }

  /** Ends its sessions too. */
  revoke(id: string, now: number): TokenDocument {
    return this.#database.transaction(() => {
      this.need(id);
      this.#database.run('UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?', now, id);
      this.#database.run('DELETE FROM session WHERE token = ?', id);
      return this.need(id);
    });
  }

  callerByToken(token: string, now: number): Caller | undefined {
    return this.#callerOf(
      this.#database.get<TokenRow>(`SELECT ${COLUMNS} FROM token WHERE hash = ?`, sha256(token)),
      'token',
      now,
    );
  }

  callerBySession(secret: string, now: number): Caller | undefined {
    const row = this.#database.get<TokenRow>(
      `SELECT ${COLUMNS} FROM token WHERE id = (SELECT token FROM session WHERE hash = ? AND expires_at > ?)`,
      sha256(secret),
      now,
    );
    return this.#callerOf(row, 'session', now);
  }

  /** Whether somebody who was let in before still is. */
  isStill({ token }: Caller, now: number): boolean {
    const row = this.#database.get<TokenRow>(`SELECT ${COLUMNS} FROM token WHERE id = ?`, token);
    return row !== undefined && isAlive(row, now);
  }

  open(caller: Pick<Caller, 'token'>, now: number, forMs: number): Session {
    return this.#database.transaction(() => {
      this.#database.run('DELETE FROM session WHERE expires_at <= ?', now);
      this.#database.run(
        'DELETE FROM session WHERE hash IN (SELECT hash FROM session ORDER BY created_at DESC LIMIT -1 OFFSET ?)',
        SESSIONS_MAX - 1,
      );
      const secret = randomBytes(32).toString('base64url');
      const expiresAt = now + forMs;
      this.#database.run(
        'INSERT INTO session (hash, token, created_at, expires_at) VALUES (?, ?, ?, ?)',
        sha256(secret),
        caller.token,
        now,
        expiresAt,
      );
      return { secret, csrf: csrfOf(secret), expiresAt };
    });
  }

  expiryOf(secret: string): number | undefined {
    return this.#database.get<{ readonly expires_at: number }>(
      'SELECT expires_at FROM session WHERE hash = ?',
      sha256(secret),
    )?.expires_at;
  }

  close(secret: string): void {
    this.#database.run('DELETE FROM session WHERE hash = ?', sha256(secret));
  }

  #callerOf(row: TokenRow | undefined, by: Caller['by'], now: number): Caller | undefined {
    if (row === undefined || !isAlive(row, now)) return undefined;
    if (row.last_used_at === null || now - row.last_used_at > USED_EVERY_MS) {
      this.#database.run('UPDATE token SET last_used_at = ? WHERE id = ?', now, row.id);
    }
    return { token: row.id, name: row.name, role: row.role, by };
  }
}

const isAlive = ({ revoked_at: revoked, expires_at: expires }: TokenRow, now: number): boolean =>
  revoked === null && (expires === null || expires > now);

const documentOf = (row: TokenRow): TokenDocument => ({
  id: row.id,
  name: row.name,
  role: row.role,
  created_at: iso(row.created_at),
  created_by: row.created_by,
  expires_at: isoOrNull(row.expires_at),
  last_used_at: isoOrNull(row.last_used_at),
  revoked_at: isoOrNull(row.revoked_at),
});
