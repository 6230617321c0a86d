import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { evidenceKey, evidencePublicKey, newKeyRing } from '../codec/keys.ts';
import { chainedEvidenceName, evidenceName } from '../format/names.ts';
import type { ObjectName, Storage } from '../storage/port.ts';
import { type ChainExpectations, checkChain, formatKnownHead, parseKnownHead, readBundle } from './evidence-chain.ts';
import {
  canonicalJson,
  copyEvidence,
  type EvidenceEntry,
  evidenceHead,
  type EvidenceRecord,
  type EvidenceTold,
  listEvidence,
  readEvidence,
  writeEvidence,
} from './evidence.ts';
import { evidenceHash, signEvidence } from './evidence-record.ts';
import { Repository } from './repository.ts';

/** What a store promises, in memory. `before` is called before each request, `after` before it is answered. */
class MemoryStorage implements Storage {
  readonly description = 'memory';
  readonly objects = new Map<ObjectName, Uint8Array>();
  before: (what: 'get' | 'put' | 'list') => Promise<void> = async () => undefined;
  answer: (outcome: 'created' | 'exists') => 'created' | 'exists' = (outcome) => outcome;

  async get(name: ObjectName): Promise<Uint8Array> {
    await this.before('get');
    const object = this.objects.get(name);
    if (object === undefined) throw new SpillwayError('SPW_OBJECT_MISSING', `${name} is not there`);
    return object;
  }
  async put(name: ObjectName, parts: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    await this.before('put');
    if (this.objects.has(name)) return this.answer('exists');
    this.objects.set(name, Buffer.concat(parts));
    return this.answer('created');
  }
  async *list(prefix: string): AsyncIterable<{ name: ObjectName; bytes: number }> {
    await this.before('list');
    for (const name of [...this.objects.keys()].toSorted()) if (name.startsWith(prefix)) yield { name, bytes: 1 };
  }
  async stat(name: ObjectName): Promise<{ name: ObjectName; bytes: number } | undefined> {
    return this.objects.has(name) ? { name, bytes: 1 } : undefined;
  }
  async remove(name: ObjectName): Promise<void> {
    this.objects.delete(name);
  }
}

const location = { kind: 'filesystem', path: tmpdir() } as const;
const keys = newKeyRing();
const publicKey = evidencePublicKey(keys);
const inMemory = (ring = keys, id = 'a-repository'): { repository: Repository; storage: MemoryStorage } => {
  const storage = new MemoryStorage();
  return { repository: new Repository({ id, location, keys: ring }, storage), storage };
};

const told = (minute: number, change: Partial<EvidenceTold> = {}): EvidenceTold => ({
  kind: 'verification',
  cluster: 'water',
  backup: '20261123T181500Z-1a2b3c4d',
  level: 'data',
  result: 'passed',
  started_at: '2026-11-23T18:00:00.000Z',
  finished_at: `2026-11-23T18:${String(minute).padStart(2, '0')}:00.000Z`,
  details: { chunks: minute },
  ...change,
});

async function chainOf(count: number): ReturnType<typeof openChain> {
  const opened = await openChain();
  for (let n = 1; n <= count; n++) await writeEvidence(opened.repository, told(n));
  return opened;
}

async function openChain(): Promise<{
  repository: Repository;
  storage: MemoryStorage;
  check: (change?: Partial<ChainExpectations>) => Promise<ReturnType<typeof checkChain>>;
}> {
  const { repository, storage } = inMemory();
  return {
    repository,
    storage,
    check: async (change = {}) =>
      checkChain(await readEvidence(repository, 'water'), {
        publicKey,
        repository: repository.id,
        cluster: 'water',
        named: true,
        ...change,
      }),
  };
}

const name = (sequence: number): string => chainedEvidenceName('water', sequence);
const kinds = ({ findings }: ReturnType<typeof checkChain>): readonly string[] =>
  findings.map(({ sequence, problem }) => `${sequence} ${problem}`);

test('Each record names the one before it, who wrote it and with what, and a whole chain has no finding', async () => {
  const { check, repository } = await chainOf(3);
  const { records, head, findings, before } = await check();
  assert.deepEqual(findings, []);
  assert.deepEqual(before, []);
  const texts = (await readEvidence(repository, 'water')).map((each) => ('why' in each ? '' : each.exported.signed));
  assert.deepEqual(
    records.map(({ sequence, previous }) => [sequence, previous]),
    [
      [1, null],
      [2, evidenceHash(texts[0] ?? '')],
      [3, evidenceHash(texts[1] ?? '')],
    ],
  );
  assert.deepEqual(head, { sequence: 3, sha256: evidenceHash(texts[2] ?? '') });
  assert.deepEqual(await evidenceHead(repository, 'water'), head);
  for (const { host, versions } of records) {
    assert.ok(host !== undefined && host !== '');
    assert.equal(versions?.node, process.versions.node);
    assert.match(versions?.spillway ?? '', /^\d+\.\d+\.\d+/);
  }
});

test('A head is written as it is read, and nothing else is one', () => {
  const head = { sequence: 42, sha256: 'ab'.repeat(32) };
  assert.deepEqual(parseKnownHead(formatKnownHead(head)), head);
  for (const word of ['', '42', `0:${head.sha256}`, `42:${head.sha256}0`, `-1:${head.sha256}`]) {
    assert.equal(parseKnownHead(word), undefined, word);
  }
});

test('What was done to a chain shows, and in what it shows', async () => {
  const own = generateKeyPairSync('ed25519').privateKey;
  type Entries = (EvidenceEntry & { exported: { signed: string; signature: string } })[];
  const cases: readonly (readonly [
    what: string,
    change: (entries: Entries) => Entries,
    ...found: readonly string[],
  ])[] = [
    ['nothing', (all) => all],
    ['the middle one removed', (all) => all.toSpliced(2, 1), '3 missing'],
    ['two of the middle removed', (all) => all.toSpliced(1, 2), '2 missing'],
    ['the first removed', (all) => all.slice(1), '1 missing'],
    ['the newest removed', (all) => all.slice(0, -1)],
    [
      'one altered',
      ([first, second, ...rest]) =>
        [
          first,
          {
            ...second,
            exported: { ...second?.exported, signed: second?.exported.signed.replace('"passed"', '"failed"') },
          },
          ...rest,
        ] as Entries,
      '2 signature',
    ],
    [
      'one forged with another key',
      ([first, second, ...rest]) => {
        const signed = second?.exported.signed.replace('"passed"', '"failed"') ?? '';
        const signature = sign(null, Buffer.from(signed), own).toString('base64');
        return [first, { ...second, exported: { signed, signature } }, ...rest] as Entries;
      },
      '2 signature',
    ],
    [
      'one altered by somebody who can sign',
      ([first, second, ...rest]) => {
        const signed = second?.exported.signed.replace('"passed"', '"failed"') ?? '';
        const signature = sign(null, Buffer.from(signed), evidenceKey(keys)).toString('base64');
        return [first, { ...second, exported: { signed, signature } }, ...rest] as Entries;
      },
      '3 altered',
    ],
    ['two that changed places', ([a, b, c, ...rest]) => [a, c, b, ...rest] as Entries, '2 order'],
    ['one repeated', ([a, b, ...rest]) => [a, b, b, ...rest] as Entries, '2 repeated'],
  ];
  const { repository } = await chainOf(5);
  const entries = (await readEvidence(repository, 'water')) as Entries;
  for (const [what, change, ...found] of cases) {
    const changed = change(entries);
    const lines = changed.map(({ exported }) => JSON.stringify(exported)).join('\n');
    assert.deepEqual(kinds(checkChain(readBundle(lines), { publicKey, named: false })), found, what);
  }
  const head = await evidenceHead(repository, 'water');
  assert.ok(head?.sha256 !== undefined);
  const known = { sequence: head.sequence, sha256: head.sha256 };
  const cut = entries.slice(0, -2);
  assert.deepEqual(kinds(checkChain(entries, { publicKey, named: true, head: known })), []);
  const short = checkChain(cut, { publicKey, named: true, head: known });
  assert.deepEqual(kinds(short), ['5 head']);
  assert.match(short.findings[0]?.why ?? '', /newest record is 3: records 4 to 5 are gone/);
  assert.deepEqual(kinds(checkChain([], { publicKey, named: true, head: known })), ['5 head']);
  const other = { ...known, sha256: 'ab'.repeat(32) };
  assert.deepEqual(kinds(checkChain(entries, { publicKey, named: true, head: other })), ['5 head']);
});

test('Lines that are no records, and records of another repository or cluster, are findings each', async () => {
  const { repository } = await chainOf(2);
  const lineOf = async (of: Repository, cluster = 'water'): Promise<string> => {
    const [entry] = await readEvidence(of, cluster);
    return entry === undefined || 'why' in entry ? '' : JSON.stringify(entry.exported);
  };
  const lines = (await readEvidence(repository, 'water')).map((each) =>
    JSON.stringify('why' in each ? '' : each.exported),
  );
  // Signed with the same key, as a repository that somebody made from the same key ring would.
  const twin = inMemory(keys, 'another-repository').repository;
  await writeEvidence(twin, told(1));
  const stranger = inMemory(newKeyRing(), 'a-third').repository;
  await writeEvidence(stranger, told(1));
  await writeEvidence(repository, told(9, { cluster: 'other' }));
  const text = [
    ...lines,
    '{"signed": 1}',
    'nonsense',
    await lineOf(twin),
    await lineOf(stranger),
    await lineOf(repository, 'other'),
  ];
  const checked = checkChain(readBundle(text.join('\n')), { publicKey, named: false });
  assert.deepEqual(
    checked.findings.map(({ object, problem }) => `${object}: ${problem}`),
    ['line 3: unreadable', 'line 4: unreadable', 'line 5: foreign', 'line 6: signature', 'line 7: foreign'],
  );
  assert.equal(checked.records.length, 2);
});

test('A record that is damaged, or that lies under the number of another, is told once, and the next goes on', async () => {
  const { repository, storage, check } = await chainOf(3);
  const bytes = Buffer.from(storage.objects.get(name(3)) ?? []);
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  storage.objects.set(name(3), bytes);
  await writeEvidence(repository, told(4));
  await writeEvidence(repository, told(5));
  assert.deepEqual(kinds(await check()), ['3 unreadable', '4 unlinked']);
  const second = (await readEvidence(repository, 'water'))[1];
  assert.ok(second !== undefined && !('why' in second));
  await repository.write('evidence', name(6), [
    Buffer.from(second.exported.signed),
    Buffer.from(second.exported.signature, 'base64'),
  ]);
  assert.deepEqual(kinds(await check()), ['3 unreadable', '6 misplaced', '4 unlinked']);
});

test('Records of before the chain stay readable, are counted apart, and the chain begins after them', async () => {
  const { repository, check } = await openChain();
  const old: EvidenceRecord = { ...told(1), id: '20261123T180100000Z-1a2b3c4d' };
  await repository.write(
    'evidence',
    evidenceName('water', old.id),
    signEvidence(old, repository.id, evidenceKey(keys)),
  );
  const record = await writeEvidence(repository, told(2));
  const { before, records, findings } = await check();
  assert.deepEqual([before, records, findings], [[old], [record], []]);
  assert.deepEqual((await listEvidence(repository, 'water')).records, [old, record]);
});

test('A copy appends what it brings to the chain of its place, and says from where', async () => {
  const source = await chainOf(3);
  const target = await openChain();
  await writeEvidence(target.repository, told(9));
  const { records } = await listEvidence(source.repository, 'water');
  const failures: string[] = [];
  const copied = await copyEvidence(source.repository, target.repository, records.slice(1), {
    onUnreadable: (each) => failures.push(each),
  });
  assert.equal(copied, 2);
  assert.deepEqual(failures, []);
  const checked = await target.check();
  assert.deepEqual(checked.findings, []);
  assert.deepEqual(
    checked.records.map(({ id, sequence, copied_from: from }) => [id, sequence, from?.sequence]),
    [
      [checked.records[0]?.id, 1, undefined],
      [records[1]?.id, 2, 2],
      [records[2]?.id, 3, 3],
    ],
  );
  assert.equal(checked.records[1]?.copied_from?.sha256, records[2]?.previous);
  assert.deepEqual((await source.check()).findings, []);
});

test('However writers interleave, and wherever they die, the chain is whole and has each record once', async () => {
  const plan = fc.record({
    writers: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 4 }),
    /** For each put, in order: what becomes of it. */
    fates: fc.array(fc.constantFrom('told', 'told', 'told', 'late', 'lost-before', 'lost-after'), { maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plan, async (scheduler, { writers, fates }) => {
      const { repository, storage, check } = await openChain();
      const queue = fates.values();
      let fate = 'told';
      storage.before = async (what) => {
        await scheduler.schedule(Promise.resolve());
        if (what !== 'put') return;
        fate = queue.next().value ?? 'told';
        if (fate === 'lost-before') throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the writer died before it');
      };
      storage.answer = (outcome) => {
        if (fate === 'lost-after') throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the writer died after it');
        // Created, and the answer was lost: the second try finds the name taken.
        return fate === 'late' ? 'exists' : outcome;
      };
      const written: EvidenceRecord[] = [];
      let died = 0;
      const run = async (writer: number, count: number): Promise<void> => {
        try {
          for (let n = 0; n < count; n++) written.push(await writeEvidence(repository, told(writer * 10 + n)));
        } catch (error) {
          assert.ok(error instanceof SpillwayError && error.code === 'SPW_STORAGE_UNREACHABLE');
          died += 1;
        }
      };
      const all = Promise.all(writers.map((count, writer) => run(writer, count)));
      await scheduler.waitFor(all);
      storage.before = async () => undefined;
      storage.answer = (outcome) => outcome;
      const { findings, records } = await check();
      assert.deepEqual(findings, []);
      assert.equal(records.length, storage.objects.size);
      assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
      for (const record of written) assert.deepEqual(records[(record.sequence ?? 0) - 1], record);
      assert.ok(records.length - written.length <= died, 'only what a writer that died had created is there beside');
      await writeEvidence(repository, told(59));
      assert.deepEqual((await check()).findings, []);
    }),
    { numRuns: 40 },
  );
});

test('The signed text of a record is the same for ever', () => {
  const record: EvidenceRecord = {
    ...told(1),
    id: '20261123T180100000Z-1a2b3c4d',
    sequence: 2,
    previous: 'ab'.repeat(32),
    host: 'db1',
    versions: { spillway: '0.1.0', node: '24.0.0' },
  };
  const [signed] = signEvidence(record, 'r', evidenceKey(keys));
  assert.equal(
    signed.toString('utf8'),
    `{"backup":"20261123T181500Z-1a2b3c4d","cluster":"water","details":{"chunks":1},"finished_at":"2026-11-23T18:01:00.000Z","format":1,"host":"db1","id":"20261123T180100000Z-1a2b3c4d","kind":"verification","level":"data","previous":"${'ab'.repeat(32)}","repository":"r","result":"passed","sequence":2,"started_at":"2026-11-23T18:00:00.000Z","versions":{"node":"24.0.0","spillway":"0.1.0"}}`,
  );
  assert.equal(canonicalJson(record).includes('undefined'), false);
});
