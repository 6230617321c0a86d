// A server named on the command line, as libpq writes it: `host=db2 port=5433 user=backup sslmode=verify-full`.
//
// What is not said stays as the cluster is configured, its password among it. A password is refused: every user of the
// machine can read the words of a command.

import { resolve } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import type { ConnectionSettings } from '@spillway/engine';

const KNOWN = ['host', 'port', 'user', 'dbname', 'sslmode', 'sslrootcert'] as const;
type Known = (typeof KNOWN)[number];

const MODES: Readonly<Record<string, NonNullable<ConnectionSettings['ssl']>>> = {
  disable: 'disable',
  require: 'require',
  'verify-full': 'verify-full',
};

export interface NamedServer {
  readonly connection: ConnectionSettings;
  /** To be read: the certificate that is to be believed. */
  readonly certificateFile: string | undefined;
}

export function parseConninfo(text: string, configured: ConnectionSettings, directory: string): NamedServer {
  const words = wordsOf(text);
  const port = words.get('port');
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw refused(text, `port=${port} is no port`);
  }
  const mode = words.get('sslmode');
  const ssl = mode === undefined ? undefined : MODES[mode];
  if (mode !== undefined && ssl === undefined) throw refused(text, `sslmode is disable, require or verify-full here`);
  const [host, user, database, file] = (['host', 'user', 'dbname', 'sslrootcert'] as const).map((key) =>
    words.get(key),
  );
  return {
    connection: {
      ...configured,
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(user === undefined ? {} : { user }),
      ...(database === undefined ? {} : { database }),
      ...(ssl === undefined ? {} : { ssl }),
    },
    certificateFile: file === undefined ? undefined : resolve(directory, file),
  };
}

function wordsOf(text: string): ReadonlyMap<Known, string> {
  if (/^postgres(?:ql)?:\/\//.test(text)) throw refused('the address', 'it is written as an address');
  const words = new Map<Known, string>();
  let rest = text.trim();
  while (rest !== '') {
    const match = /^(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)+))(?:\s+|$)/.exec(rest);
    const [whole, key = '', quoted, plain] = match ?? [];
    if (whole === undefined) throw refused(text, 'it has no form of key=value');
    if (key === 'password') {
      throw new SpillwayError('SPW_USAGE', '--source holds a password', {
        why: 'every user of the machine can read the words of a command',
        hint: 'leave it out: the password of the cluster in the configuration is used',
      });
    }
    const known = KNOWN.find((each) => each === key);
    if (known === undefined) throw refused(text, `${key} is not one of ${KNOWN.join(', ')}`);
    words.set(known, (quoted ?? plain ?? '').replaceAll(/\\(.)/g, '$1'));
    rest = rest.slice(whole.length);
  }
  return words;
}

const refused = (text: string, why: string): SpillwayError =>
  new SpillwayError('SPW_USAGE', `--source '${text}' is not understood`, {
    why,
    hint: "write it as 'host=db2 port=5432 user=postgres'",
  });
