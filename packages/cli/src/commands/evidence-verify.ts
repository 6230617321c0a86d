// `spillway evidence verify` and `evidence head`: whether the evidence is whole.
//
// A bundle is checked from the public key alone: no configuration is read, no repository opened, no secret asked for. Of a
// repository the key is taken from its own ring, unless one is given that was kept elsewhere.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type EvidenceHeadDocument, type EvidenceVerifyDocument, exitCodes, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatCount, formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

const FINDINGS_SHOWN_MAX = 50;

export interface EvidenceCheckOptions {
  readonly publicKey?: string;
  readonly head?: string;
}

export const verifyEvidence: Command<EvidenceCheckOptions> = async (context, options, bundle) => {
  const known = knownHead(options.head);
  const check =
    bundle === undefined ? await checkRepository(context, options) : await checkBundle(context, bundle, options);
  const document = describe(check, known);
  context.output.result(document, (colours) => renderCheck(document, colours));
  if (document.result === 'failed') return exitCodes.damaged;
  return document.result === 'passed' ? exitCodes.ok : exitCodes.warnings;
};

export const evidenceHead: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const found = await engine.evidenceHead(repository, cluster, context.signal);
  if (found !== undefined && found.sha256 === undefined) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `the newest record of cluster ${cluster} cannot be read`, {
      why: `record ${found.sequence} is damaged`,
      hint: 'spillway evidence verify tells which others are',
    });
  }
  const head = found?.sha256 === undefined ? null : { sequence: found.sequence, sha256: found.sha256 };
  const word = head === null ? null : engine.formatKnownHead(head);
  const document: EvidenceHeadDocument = { cluster, head, word };
  context.output.result(
    document,
    () => word ?? `There is no evidence of cluster ${cluster} yet. Next: spillway verify`,
  );
  return head === null ? exitCodes.warnings : exitCodes.ok;
};

/** Throws SPW_USAGE for what is no head. */
export function knownHead(word: string | undefined): engine.KnownHead | undefined {
  if (word === undefined) return undefined;
  const known = engine.parseKnownHead(word);
  if (known !== undefined) return known;
  throw new SpillwayError('SPW_USAGE', `--head '${word}' is no head of a chain`, {
    why: 'it is not a number, a colon and the 64 hexadecimal digits of a SHA-256',
    hint: 'give it as spillway evidence head printed it',
  });
}

/** Base64 as `init` printed it, or a file with that, with PEM or with DER. Throws SPW_USAGE for anything else. */
export async function publicKeyFrom(context: Context, word: string): Promise<string> {
  const asKey = engine.evidenceKeyFrom(Buffer.from(word));
  if (asKey !== undefined) return asKey;
  const path = resolve(context.directory, word);
  try {
    const found = engine.evidenceKeyFrom(await readFile(path, { signal: context.signal }));
    if (found !== undefined) return found;
  } catch (cause) {
    context.signal.throwIfAborted();
    throw new SpillwayError('SPW_USAGE', `--public-key '${word}' cannot be used`, {
      why: 'it is neither a key nor a file that can be read',
      hint: 'give what spillway init printed, or evidence_public_key of spillway.json, or a file that holds it',
      cause,
    });
  }
  throw new SpillwayError('SPW_USAGE', `--public-key '${word}' cannot be used`, {
    why: `${path} holds no Ed25519 public key`,
    hint: 'give a file with what spillway init printed, in base64, PEM or DER',
  });
}

async function checkRepository(context: Context, options: EvidenceCheckOptions): Promise<engine.ChainCheck> {
  const head = knownHead(options.head);
  const given = options.publicKey === undefined ? undefined : await publicKeyFrom(context, options.publicKey);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  return engine.checkChain(await engine.readEvidence(repository, cluster, context.signal), {
    publicKey: given ?? repository.evidencePublicKey,
    repository: repository.id,
    cluster,
    named: true,
    ...(head && { head }),
  });
}

async function checkBundle(
  context: Context,
  bundle: string,
  { publicKey, head: word }: EvidenceCheckOptions,
): Promise<engine.ChainCheck> {
  if (publicKey === undefined) {
    throw new SpillwayError('SPW_USAGE', `the bundle ${bundle} was not verified`, {
      why: 'without the public key anybody could have signed it',
      hint: 'add --public-key with what spillway init printed',
    });
  }
  const head = knownHead(word);
  const key = await publicKeyFrom(context, publicKey);
  return engine.checkChain(engine.readBundle(await readText(context, bundle)), {
    publicKey: key,
    named: false,
    ...(context.options.cluster !== undefined && { cluster: context.options.cluster }),
    ...(head && { head }),
  });
}

/** `-` is standard input. */
async function readText({ directory, signal }: Context, bundle: string): Promise<string> {
  try {
    return bundle === '-'
      ? await text(process.stdin)
      : await readFile(resolve(directory, bundle), { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new SpillwayError('SPW_USAGE', `cannot read the bundle ${bundle}`, {
      hint: 'name a file that spillway evidence export --all wrote',
      cause,
    });
  }
}

export function describe(check: engine.ChainCheck, known: engine.KnownHead | undefined): EvidenceVerifyDocument {
  const { records, before, findings } = check;
  const kinds = Map.groupBy([...before, ...records], ({ kind }) => kind);
  const empty = records.length + before.length === 0;
  return {
    cluster: check.cluster,
    repository: check.repository,
    result: findings.length > 0 ? 'failed' : empty ? 'empty' : 'passed',
    records: records.length,
    before_chain: before.length,
    kinds: [...kinds].map(([kind, all]) => ({
      kind,
      records: all.length,
      passed: all.filter(({ result }) => result === 'passed').length,
      failed: all.filter(({ result }) => result === 'failed').length,
      last:
        all
          .map(({ finished_at: at }) => at)
          .toSorted()
          .at(-1) ?? '',
    })),
    head: check.head,
    known_head: known ?? null,
    findings,
  };
}

export function renderCheck(document: EvidenceVerifyDocument, colours: Colours): string {
  const { result, records, before_chain: before, head, known_head: known, findings } = document;
  if (result === 'empty') return 'There is no record, and so nothing is shown. Next: spillway verify';
  const lines = [
    renderTable(
      [
        { title: 'KIND' },
        { title: 'RECORDS', align: 'right' },
        { title: 'PASSED', align: 'right' },
        { title: 'FAILED', align: 'right' },
        { title: 'LAST' },
      ],
      document.kinds.map((each) => [
        each.kind,
        String(each.records),
        String(each.passed),
        String(each.failed),
        formatTime(new Date(each.last)),
      ]),
    ),
    '',
  ];
  if (before > 0) {
    lines.push(
      `note: ${formatCount(before, 'record')} of before the chain: signed, but that one is missing would not show.`,
    );
  }
  if (head !== null) lines.push(`Head: ${engine.formatKnownHead(head)}`);
  if (findings.length > 0) {
    lines.push(
      '',
      renderTable(
        [{ title: 'NO', align: 'right' }, { title: 'WHERE' }, { title: 'PROBLEM' }, { title: 'WHAT' }],
        findings
          .slice(0, FINDINGS_SHOWN_MAX)
          .map(({ object, sequence, problem, why }) => [String(sequence ?? '-'), object ?? '', problem, why]),
      ),
    );
    if (findings.length > FINDINGS_SHOWN_MAX) {
      lines.push(`and ${findings.length - FINDINGS_SHOWN_MAX} more; all of them with --json`);
    }
    const count = formatCount(findings.length, 'finding');
    lines.push(
      '',
      `${colours.red('FAILED')}  ${count}: this evidence was changed since it was written, or is not all of it.`,
    );
    return lines.join('\n');
  }
  const cut =
    known === null
      ? 'Records cut off at the end would show only against --head, kept elsewhere.'
      : `Record ${known.sequence} is the one that was kept.`;
  lines.push(
    '',
    `${colours.green('passed')}  ${formatCount(records, 'record')} in the chain, each as it was written. ${cut}`,
  );
  return lines.join('\n');
}
