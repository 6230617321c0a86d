import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { jobCommands, type JobCommandName, wordsOf } from '@spillway/contract/schemas';
import type { Command } from 'commander';
import { createProgram } from '../program.ts';
import { commandAt } from '../program/command.ts';
import { typedIn } from '../program/typed.ts';
import { requestFor, type Typed } from './request.ts';

/** What a person types, as the command line itself understands it. */
async function typed(words: readonly string[]): Promise<Typed> {
  const program = createProgram(() => Promise.resolve());
  let found: Typed | undefined;
  const listen = (command: Command): void => {
    if (command.commands.length === 0)
      command.action((...given: unknown[]) => void (found = typedIn(given.at(-1) as Command)));
    command.commands.forEach(listen);
  };
  listen(program);
  await program.parseAsync([...words], { from: 'user' });
  assert.ok(found !== undefined, words.join(' '));
  return found;
}

const ask = async (...words: readonly string[]) =>
  requestFor(await typed(words), { cluster: 'water', repository: undefined });

const refusal = async (...words: readonly string[]): Promise<string> => {
  try {
    await ask(...words);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_USAGE')) return `${error.message}: ${error.why}`;
    throw error;
  }
  return 'it was taken';
};

/** What must be there for a command to be asked at all. */
const needed: Partial<Readonly<Record<JobCommandName, readonly string[]>>> = {
  show: ['8f2a'],
  rewind: ['--data-directory', '/srv/old'],
  'dump show': ['8f2a'],
  'dump verify': ['8f2a'],
  'dump restore': ['8f2a'],
  'dump export': ['8f2a', '--to', '/srv/out'],
  'drill run': ['monthly'],
  investigate: ['--from', '2026-11-23 14:00Z'],
  'timetravel end': ['timetravel-4b'],
  'report compliance': ['--month', '2026-10'],
  'evidence export': ['8f2a'],
  'hold add': ['8f2a', '--reason', 'court'],
  'hold remove': ['8f2a', '--reason', 'over'],
};

/** A value that the field takes, where that is no number, choice or plain text. */
const samples: Readonly<Record<string, string>> = {
  at: '2026-11-23 14:03:12.5+02:00',
  lsn: '0/3000060',
  xid: '741',
  backup: '8f2a',
  sample: '7d',
  for: '2h',
  grace: '3d',
  after: '30d',
  repack_max: '4GiB',
  point_in_time: '7d',
  month: '2026-10',
  class: 'GLACIER_IR',
  place: 'second',
};

suite('every option that a job may have', () => {
  for (const [name, { fields, ...of }] of Object.entries(jobCommands) as [
    JobCommandName,
    { fields: Readonly<Record<string, unknown>>; positional?: readonly string[] },
  ][]) {
    test(`of ${name} is sent as it was typed, and is the same words again at the service`, async () => {
      const command = commandAt(
        createProgram(() => Promise.resolve()),
        name.split(' '),
      );
      const before = [...name.split(' '), ...(needed[name] ?? [])];
      for (const field of Object.keys(fields).filter((each) => of.positional?.includes(each) !== true)) {
        const flag = `--${field.replaceAll('_', '-')}`;
        const option = command.options.find(({ long }) => long === flag);
        assert.ok(option !== undefined, `${name} ${flag}`);
        const takesValue = option.required || option.optional;
        const isPath =
          /^(?:into|file|log|to|html|pdf|data_directory|keep_into|wal_directory|work_folder|tablespace_all_into)$/;
        const value =
          option.argChoices?.[0] ??
          (name === 'investigate' && /^(?:from|to)$/.test(field) ? '2026-11-23T15:03Z' : undefined) ??
          (isPath.test(field) ? '/srv/x' : undefined) ??
          samples[field] ??
          (/<(?:n|days|percent)>/.test(option.flags) ? '3' : 'x');
        const { request } = await ask(...before, ...(takesValue ? [flag, value] : [flag]));
        assert.ok(Object.hasOwn(request, field), `${name} ${flag} was not sent`);
        const again = await typed(wordsOf(request));
        const { request: twice } = requestFor(again, { cluster: 'water', repository: undefined });
        assert.deepEqual(twice, request, `${name} ${flag}`);
      }
    });
  }
});

test('arguments stand in their fields, defaults are not sent, moments have their zone, and agreement is told apart', async () => {
  assert.deepEqual((await ask('verify', '8f2a', '77b1')).request, {
    command: 'verify',
    cluster: 'water',
    backup_ids: ['8f2a', '77b1'],
  });
  assert.deepEqual((await ask('verify')).request, { command: 'verify', cluster: 'water' });
  assert.deepEqual((await ask('timetravel', '--at', '2026-11-23 14:03:12+02')).request, {
    command: 'timetravel start',
    cluster: 'water',
    at: '2026-11-23T14:03:12+02:00',
  });
  const restore = await ask('restore', '--into', '/srv/x', '--delta', '--yes', '--confirm', 'water');
  assert.deepEqual(restore, {
    request: { command: 'restore', cluster: 'water', into: '/srv/x', delta: true },
    destroys: true,
    yes: true,
    confirm: 'water',
  });
  assert.equal((await ask('restore', '--into', '/srv/x')).destroys, false);
  assert.deepEqual(requestFor(await typed(['backups']), { cluster: 'water', repository: 'second' }).request, {
    command: 'backups',
    cluster: 'water',
    repository: 'second',
  });
});

test('what cannot be sent is refused before anything is, by its name and with the reason', async () => {
  const cases: readonly (readonly [words: readonly string[], said: RegExp])[] = [
    [['init'], /no service can be asked to do spillway init: it is done at the machine/],
    [['wal', 'receive'], /no service can be asked to do spillway wal receive/],
    [['verify', '--check', 'SELECT true'], /--check of spillway verify cannot be sent/],
    [['restore', '--primary', 'host=db2', '--into', '/srv/x'], /--primary of spillway restore cannot be sent/],
    [
      ['restore', '--into', 'relative'],
      /--into of spillway restore is not as the service takes it: must be an absolute/,
    ],
    [['restore', '--into', '/srv/x', '--at', 'yesterday'], /--at 'yesterday' is not a time/],
    [['show', '../../etc'], /<backup-id> of spillway show is not as the service takes it/],
    [['timetravel', '--for', 'soon'], /--for of spillway timetravel start .*: must be a duration/],
  ];
  for (const [words, said] of cases) assert.match(await refusal(...words), said, words.join(' '));
});
