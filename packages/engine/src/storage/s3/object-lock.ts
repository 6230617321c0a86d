// Locks on objects of a bucket: S3's object lock, governance or compliance.
//
// 1. An object is locked when it is put, in the same request. A bucket made without object lock refuses that put.
// 2. It is locked for a quarter longer than is promised, so that what is needed for long has its lock extended only now and
//    then (`repository/retention.ts`).
// 3. Nobody shortens a lock in compliance mode; in governance mode whoever has s3:BypassGovernanceRetention does.
// Source: Amazon S3 User Guide, "How S3 Object Lock works".

import type { ObjectLockRetentionMode, PutObjectCommandInput } from '@aws-sdk/client-s3';
import { SpillwayError } from '@spillway/contract';
import type { ObjectLock, ObjectName, S3Location } from '../port.ts';
import { classify } from './failure.ts';
import type { S3Requests } from './requests.ts';

type Setting = NonNullable<S3Location['objectLock']>;

const LONGER = 1.25;

export class S3ObjectLock implements ObjectLock {
  readonly forMs: number;
  readonly putForMs: number;
  readonly #mode: ObjectLockRetentionMode;
  readonly #requests: S3Requests;
  readonly #at: (name: ObjectName) => { readonly Bucket: string; readonly Key: string };

  constructor(setting: Setting, requests: S3Requests, at: (name: ObjectName) => { Bucket: string; Key: string }) {
    this.forMs = setting.forMs;
    this.putForMs = setting.forMs * LONGER;
    this.#mode = modeOf(setting);
    this.#requests = requests;
    this.#at = at;
  }

  async until(name: ObjectName, options: { signal?: AbortSignal } = {}): Promise<Date | undefined> {
    const at = this.#at(name);
    const until = await this.#requests.call({ doing: `looking at ${name}` }, options.signal, async (attempt) => {
      this.#requests.shared.count('get_requests');
      try {
        const head = new attempt.sdk.HeadObjectCommand(at);
        return (await attempt.client.send(head, { abortSignal: attempt.abortSignal })).ObjectLockRetainUntilDate;
      } catch (error) {
        if (classify(error).kind !== 'missing') throw error;
        return undefined;
      }
    });
    return until !== undefined && until.getTime() > Date.now() ? until : undefined;
  }

  async extend(name: ObjectName, until: Date, options: { signal?: AbortSignal } = {}): Promise<void> {
    const at = this.#at(name);
    const doing = { doing: `locking ${name}`, wanted: name };
    await this.#requests.call(doing, options.signal, async ({ sdk, client, abortSignal }) => {
      this.#requests.shared.count('put_requests');
      const retention = { Mode: this.#mode, RetainUntilDate: wholeSeconds(until) };
      try {
        await client.send(new sdk.PutObjectRetentionCommand({ ...at, Retention: retention }), { abortSignal });
      } catch (error) {
        // Locked for longer, or in the stricter mode, already: that is refused, and is as well.
        if (classify(error).kind !== 'denied') throw error;
        this.#requests.shared.count('get_requests');
        const there = await client.send(new sdk.HeadObjectCommand(at), { abortSignal });
        if ((there.ObjectLockRetainUntilDate?.getTime() ?? 0) < retention.RetainUntilDate.getTime()) throw error;
      }
    });
  }
}

/** What goes along with the put of a new object. */
export const lockOfNew = (
  setting: Setting,
): Pick<PutObjectCommandInput, 'ObjectLockMode' | 'ObjectLockRetainUntilDate'> => ({
  ObjectLockMode: modeOf(setting),
  ObjectLockRetainUntilDate: wholeSeconds(new Date(Date.now() + setting.forMs * LONGER)),
});

export const retained = (name: ObjectName, place: string, until: Date): SpillwayError =>
  new SpillwayError('SPW_OBJECT_RETAINED', `${name} stays in the repository at ${place}`, {
    why: `it is locked until ${until.toISOString()}`,
  });

const modeOf = ({ mode }: Setting): ObjectLockRetentionMode => (mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE');

/** Servers keep no parts of seconds; rounded up, so that none is taken away. */
const wholeSeconds = (at: Date): Date => new Date(Math.ceil(at.getTime() / 1000) * 1000);
