// Secrets that are named on the command line, by the file, variable or command that has them; never the secret itself.
//
// A recovery key may come in shares: one file each, or several lines of one file. Lines that begin with # and empty ones
// are passed over, so that a share can be kept as it was printed. Wherever a recovery key is read, shares will do.

import { resolve } from 'node:path';
import { type SecretSource, SpillwayError } from '@spillway/contract';
import type { AwsKmsOptions, Secret } from '@spillway/engine';
import { resolveSecret } from './configuration/secrets.ts';
import type { Context } from './context.ts';

export interface GivenPassphrase {
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  readonly passphraseCommand?: string;
}

export interface GivenSecrets extends GivenPassphrase {
  readonly recoveryKeyFile?: string;
  readonly recoveryShareFile?: readonly string[];
}

/** The same, as options that prove something are called. */
export interface GivenProofs {
  readonly proofPassphraseFile?: string;
  readonly proofPassphraseEnv?: string;
  readonly proofPassphraseCommand?: string;
  readonly proofRecoveryKeyFile?: string;
  readonly proofRecoveryShareFile?: readonly string[];
  readonly proofKms?: boolean;
}

/** Undefined where none was named; SPW_USAGE where several were. */
export function sourceOf({
  passphraseFile,
  passphraseEnv,
  passphraseCommand,
}: GivenPassphrase): SecretSource | undefined {
  const sources: SecretSource[] = [];
  if (passphraseFile !== undefined) sources.push({ kind: 'file', file: passphraseFile });
  if (passphraseEnv !== undefined) sources.push({ kind: 'env', variable: passphraseEnv });
  if (passphraseCommand !== undefined) sources.push({ kind: 'command', command: passphraseCommand });
  if (sources.length > 1) throw new SpillwayError('SPW_USAGE', 'the passphrase has more than one source');
  return sources[0];
}

/** All that were named: at most one passphrase, one recovery key, and one more in shares. */
export async function givenSecrets(context: Context, options: GivenSecrets, what = ''): Promise<readonly Secret[]> {
  const secrets: Secret[] = [];
  const source = sourceOf(options);
  if (source !== undefined) {
    secrets.push({ kind: 'passphrase', passphrase: await reveal(context, `passphrase${what}`, source) });
  }
  const { recoveryKeyFile: file, recoveryShareFile: shares = [] } = options;
  if (file !== undefined) {
    const text = await reveal(context, `recovery key${what}`, { kind: 'file', file });
    secrets.push(await recoverySecret([{ text, where: file }]));
  }
  if (shares.length > 0) secrets.push(await readShares(context, shares));
  return secrets;
}

export async function givenProofs(context: Context, options: GivenProofs): Promise<readonly Secret[]> {
  const given = {
    ...(options.proofPassphraseFile !== undefined && { passphraseFile: options.proofPassphraseFile }),
    ...(options.proofPassphraseEnv !== undefined && { passphraseEnv: options.proofPassphraseEnv }),
    ...(options.proofPassphraseCommand !== undefined && { passphraseCommand: options.proofPassphraseCommand }),
    ...(options.proofRecoveryKeyFile !== undefined && { recoveryKeyFile: options.proofRecoveryKeyFile }),
    ...(options.proofRecoveryShareFile !== undefined && { recoveryShareFile: options.proofRecoveryShareFile }),
  };
  const secrets = await givenSecrets(context, given, ' that proves');
  return options.proofKms === true ? [...secrets, await kmsSecret({})] : secrets;
}

/** The recovery key that the shares in these files give. */
export async function readShares(context: Context, files: readonly string[]): Promise<Secret> {
  const texts: { readonly text: string; readonly where: string }[] = [];
  for (const file of files) {
    texts.push({ text: await reveal(context, 'share of the recovery key', { kind: 'file', file }), where: file });
  }
  const { combineRecoveryShares } = await import('@spillway/engine');
  return { kind: 'recovery-key', recoveryKey: await combineRecoveryShares(texts.flatMap(sharesIn)) };
}

/** The settings that are there; the SDK finds the others, and the credentials. */
export async function kmsSecret({ key, region, endpoint }: Unset<AwsKmsOptions>): Promise<Secret> {
  const { awsKms } = await import('@spillway/engine');
  const options = { ...(key !== undefined && { key }), ...(region !== undefined && { region }) };
  return { kind: 'aws-kms', kms: awsKms({ ...options, ...(endpoint !== undefined && { endpoint }) }) };
}

type Unset<Options> = { readonly [Name in keyof Options]?: Options[Name] | undefined };

/** A share has 77 letters and digits, a recovery key 56. */
const SHARE_LETTERS_MIN = 70;

/** What was read in the place of a recovery key: that, or shares of it, one a line. */
export async function recoverySecret(
  texts: readonly { readonly text: string; readonly where: string }[],
): Promise<Secret> {
  const lines = texts.flatMap(sharesIn);
  if (lines.some(({ text }) => text.replaceAll(/[\s-]/g, '').length >= SHARE_LETTERS_MIN)) {
    const { combineRecoveryShares } = await import('@spillway/engine');
    return { kind: 'recovery-key', recoveryKey: await combineRecoveryShares(lines) };
  }
  return { kind: 'recovery-key', recoveryKey: lines.map(({ text }) => text).join('') };
}

/** The lines that are meant, each with the place where it stands. */
export const sharesIn = ({ text, where }: { readonly text: string; readonly where: string }) =>
  text
    .split('\n')
    .map((line, i) => ({ text: line.trim(), where: `${where}, line ${i + 1}` }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));

export async function reveal(context: Context, what: string, source: SecretSource): Promise<string> {
  const concealed = await resolveSecret(what, source, {
    environment: context.environment,
    resolvePath: (file) => resolve(context.directory, file),
    warn: context.output.warn,
    signal: context.signal,
  });
  return concealed.reveal();
}
