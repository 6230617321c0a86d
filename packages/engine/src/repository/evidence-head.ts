// The head of the chain of evidence, as a word that is kept where the repository's owner does not rule.

import { formatKnownHead } from './evidence-chain.ts';
import { evidenceHead } from './evidence.ts';
import type { Repository } from './repository.ts';

/** Null where there is no chain, or its newest record cannot be read. */
export async function knownHeadNow(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const head = await evidenceHead(repository, cluster, signal);
  return head?.sha256 === undefined ? null : formatKnownHead({ sequence: head.sequence, sha256: head.sha256 });
}
