// `spillway key check`: shows that a secret still opens the repository, and puts it on record as signed evidence.
//
// The repository is opened with the configured secret as well, which signs the record: so a recovery key that fails is
// on record too. Where one shared repository has several clusters, each of those configured gets the record.

import { SpillwayError, type KeyCheckDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { type GivenSecrets, givenSecrets } from '../key-secrets.ts';
import { clusterName, loadFor, openConfigured, repositorySecret } from '../session.ts';

export const checkKey: Command<GivenSecrets> = async (context, options) => {
  const [given, ...more] = await givenSecrets(context, options);
  if (more.length > 0) {
    throw new SpillwayError('SPW_USAGE', 'key check looks at one secret at a time', {
      hint: 'run it once for each, so that each has a record of its own',
    });
  }
  const loaded = await loadFor(context);
  const configured = Object.keys(loaded.configuration.clusters);
  const all = context.options.cluster === undefined && configured.length > 1;
  const clusters = all ? configured : [clusterName(context, loaded.configuration)];
  const repository = await openConfigured(context, loaded);
  const secret = given ?? (await repositorySecret(context, loaded));
  const { check, evidence } = await engine.checkKey({ repository, secret, clusters, signal: context.signal });
  const document: KeyCheckDocument = { ...check, evidence: evidence.map(({ id }) => id) };
  context.output.result(document, (colours) => {
    const named = check.label === null ? '' : ` (${check.label})`;
    const keys = check.data_keys.map(({ number, object }) =>
      object === null
        ? `  data key ${number}: unlocked; it sealed nothing yet`
        : `  data key ${number}: opened ${object}`,
    );
    return `${colours.green('The secret opens the repository')} by the ${words[check.slot_kind]} slot ${check.slot}${named}.
${keys.join('\n')}
On record as ${document.evidence.join(', ')}`;
  });
  return 0;
};

const words: Readonly<Record<KeyCheckDocument['slot_kind'], string>> = {
  passphrase: 'passphrase',
  'recovery-key': 'recovery key',
  'aws-kms': 'AWS KMS',
};
