// Which of several addresses a receiver streams from: a cluster moves when one of its standbys is promoted.
//
// 1. All are asked at once. Of those that answer, a primary comes before a standby, a later timeline before an earlier one
//    (an old primary that came back is not the cluster any more), and else the order in which they were given counts.
// 2. A standby will do where no primary answers: what it has received is passed on, and the receiver stays with it through
//    its promotion.
// 3. With one address nothing is asked beyond connecting, and its error is the one that is told.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { connectReplication, type ReplicationSession } from '../../postgres/replication.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';

/** An address that is silent must not keep the others waiting for long. */
const TIMEOUT_MS = 5_000;

export async function connectSource(
  addresses: readonly [ConnectionSettings, ...ConnectionSettings[]],
  signal: AbortSignal,
): Promise<ReplicationSession> {
  const [only, ...others] = addresses;
  if (others.length === 0) return connectReplication(only, { signal });
  const answers = await Promise.all(addresses.map((address) => ask(address, signal)));
  const found = answers.filter((answer) => 'session' in answer);
  const best = chooseSource(found);
  for (const { session } of found) if (session !== best?.session) await session[Symbol.asyncDispose]();
  if (best !== undefined) return best.session;
  const failures = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
  throw new SpillwayError('SPW_POSTGRES_UNREACHABLE', 'no address of the cluster answers', {
    why: failures.map((error) => `${error.message}: ${error.why ?? ''}`).join('; '),
    cause: failures[0],
  });
}

interface Answer {
  readonly primary: boolean;
  readonly timeline: number;
}

/** Pure. Undefined where there is none to choose from. */
export function chooseSource<Each extends Answer>(answers: readonly Each[]): Each | undefined {
  let best: Each | undefined;
  for (const answer of answers) {
    const better =
      best === undefined || (answer.primary !== best.primary ? answer.primary : answer.timeline > best.timeline);
    if (better) best = answer;
  }
  return best;
}

async function ask(
  address: ConnectionSettings,
  signal: AbortSignal,
): Promise<(Answer & { readonly session: ReplicationSession }) | { readonly error: SpillwayError }> {
  let session: ReplicationSession | undefined;
  try {
    session = await connectReplication(address, { signal, timeoutMs: TIMEOUT_MS });
    const primary = (await session.showParameter('in_hot_standby')) === 'off';
    const { timeline } = await session.identifySystem();
    return { session, primary, timeline };
  } catch (error) {
    await session?.[Symbol.asyncDispose]();
    if (!isSpillwayError(error)) throw error;
    return { error };
  }
}
