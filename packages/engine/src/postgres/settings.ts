// How to reach a server.

export interface ConnectionSettings {
  /** Host name, address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Database of ordinary (not replication) sessions; `postgres` by default. */
  readonly database?: string;
  readonly password?: string;
  /** `disable`, `require` (encrypt, do not check) or `verify-full` (encrypt and check the certificate). */
  readonly ssl?: 'disable' | 'require' | 'verify-full';
  /** PEM text of the authority that signed the server's certificate. */
  readonly sslRootCertificate?: string;
  /** Shown in pg_stat_activity and pg_stat_replication; `spillway` by default. */
  readonly applicationName?: string;
}
