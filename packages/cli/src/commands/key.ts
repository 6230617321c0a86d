// `spillway key`: who can open the repository. A new secret comes from a file, a variable or a command, as those of the
// configuration do, and is never a word of the command line: every user of the machine can read those.

import {
  type KeyAddDocument,
  type KeyListDocument,
  type KeyRemoveDocument,
  type KeyRotateDocument,
  SpillwayError,
} from '@spillway/contract';
import type { Command, Context } from '../context.ts';
import * as engine from '@spillway/engine';
import { type GivenPassphrase, type GivenProofs, givenProofs, kmsSecret, reveal, sourceOf } from '../key-secrets.ts';
import { loadFor, openConfigured, repositorySecret } from '../session.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

interface Confirmed {
  readonly yes?: boolean;
  readonly confirm?: string;
}

export const addKey: Command<
  GivenPassphrase & { readonly recoveryKey?: boolean; readonly kmsKey?: string; readonly label?: string }
> = async (context, options) => {
  const source = sourceOf(options);
  const { kmsKey } = options;
  if ([source, options.recoveryKey, kmsKey].filter((way) => way !== undefined).length !== 1) {
    throw new SpillwayError('SPW_USAGE', 'key add needs one new secret', {
      hint: 'give --passphrase-file, --passphrase-env or --passphrase-command, or else --recovery-key or --kms-key',
    });
  }
  const passphrase = source && (await reveal(context, 'new passphrase', source));
  const loaded = await loadFor(context);
  const repository = await openConfigured(context, loaded);
  const kms =
    kmsKey === undefined ? undefined : await kmsSecret({ ...loaded.configuration.repository.kms, key: kmsKey });
  const { slot, recoveryKey } = await engine.addKeySlot({
    repository,
    signal: context.signal,
    ...(passphrase !== undefined && { passphrase }),
    ...(kms?.kind === 'aws-kms' && { kms: kms.kms }),
    ...(options.label !== undefined && { label: options.label }),
  });
  const document: KeyAddDocument = { slot, recovery_key: recoveryKey ?? null };
  context.output.result(document, (colours) =>
    recoveryKey === undefined
      ? `Added the key slot ${slot.id}; ${kms === undefined ? 'its passphrase' : `${kmsKey} of AWS KMS`} opens the repository.`
      : `Added the key slot ${slot.id}. Its recovery key, shown now and never again:\n\n  ${colours.bold(recoveryKey)}\n\nWrite it down or print it, and keep it away from this machine and from the repository.`,
  );
  return 0;
};

export const listKeys: Command<object> = async (context) => {
  const { repository, secret } = await openWithSecret(context);
  const slots = await engine.listKeySlots({ repository, secret, signal: context.signal });
  const document: KeyListDocument = { slots };
  context.output.result(document, () => renderSlots(document));
  return 0;
};

export const removeKey: Command<Confirmed & GivenProofs> = async (context, options, word = '') => {
  const { repository, secret } = await openWithSecret(context);
  const { signal } = context;
  const { id, label } = await engine.findKeySlot({ repository, secret, id: word, signal });
  const [proof, second] = await givenProofs(context, options);
  if (second !== undefined) throw new SpillwayError('SPW_USAGE', 'one proof is enough');
  const named = label === null ? '' : ` (${label})`;
  await confirm(
    context,
    options,
    id,
    `Whoever holds only the secret of key slot ${id}${named} could not open it again.`,
  );
  const document: KeyRemoveDocument = await engine.removeKeySlot({
    repository,
    secret,
    id,
    signal,
    ...(proof !== undefined && { proof }),
  });
  context.output.result(document, () => `Removed the key slot ${id}. ${document.remaining} stay.`);
  if (document.remaining === 1) warnOfLast(context);
  return 0;
};

export const rotateKey: Command<GivenPassphrase & Confirmed & { readonly label?: string }> = async (
  context,
  options,
) => {
  const source = sourceOf(options);
  if (source === undefined) {
    throw new SpillwayError('SPW_USAGE', 'key rotate needs the new passphrase', {
      hint: 'give --passphrase-file, --passphrase-env or --passphrase-command',
    });
  }
  const passphrase = await reveal(context, 'new passphrase', source);
  const { repository, secret } = await openWithSecret(context);
  await confirm(context, options, 'rotate', 'The passphrase in use would not open the repository any more.');
  const document: KeyRotateDocument = await engine.rotatePassphrase({
    repository,
    secret,
    passphrase,
    signal: context.signal,
    ...(options.label !== undefined && { label: options.label }),
  });
  context.output.result(
    document,
    () => `The new passphrase opens the repository, the old one does not any more.

Next: name the new passphrase under repository.passphrase in the configuration, wherever this repository is used.
Who had the old passphrase and a copy of keys/ can still open what was copied.`,
  );
  if (document.remaining === 1) warnOfLast(context);
  return 0;
};

export function renderSlots({ slots }: KeyListDocument): string {
  return renderTable(
    [{ title: 'SLOT' }, { title: 'KIND' }, { title: 'CREATED' }, { title: 'LABEL' }, { title: 'STATE' }],
    slots.map(({ id, kind, created_at: at, label, opened, problem }) => [
      id,
      kind ?? '?',
      at === null ? '' : formatTime(new Date(at)),
      label ?? '',
      problem ?? (opened ? 'in use now' : ''),
    ]),
  );
}

const warnOfLast = ({ output }: Context): void =>
  output.warn(
    'only one key slot is left: when its secret is lost, so is the repository; spillway key add adds another',
  );

async function openWithSecret(context: Context): Promise<{ repository: engine.Repository; secret: engine.Secret }> {
  const loaded = await loadFor(context);
  return { repository: await openConfigured(context, loaded), secret: await repositorySecret(context, loaded) };
}

const confirm = (context: Context, options: Confirmed, name: string, impact: string): Promise<void> =>
  confirmLoss({
    impact,
    name,
    yes: options.yes === true,
    confirm: options.confirm,
    mayAsk: context.options.input,
    input: process.stdin,
    output: process.stderr,
    signal: context.signal,
  });
