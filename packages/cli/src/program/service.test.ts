import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobCommands } from '@spillway/contract/schemas';
import { createProgram } from '../program.ts';
import { commandAt } from './command.ts';

test('whatever the service takes for a job, the command line knows as it is meant', () => {
  const program = createProgram(() => Promise.resolve());
  for (const [name, of] of Object.entries(jobCommands)) {
    const command = commandAt(program, name.split(' '));
    const positional = 'positional' in of ? of.positional : [];
    const names = command.registeredArguments.map((each) => each.name().replaceAll('-', '_'));
    assert.deepEqual(
      positional.map((field) => field.replaceAll('-', '_')),
      names.slice(0, positional.length),
      name,
    );
    const required = command.registeredArguments.filter((each) => each.required).map((each) => each.name());
    assert.ok(required.length <= positional.length, `${name} wants ${required.join()}`);
    for (const field of Object.keys(of.fields)) {
      if (positional.some((each) => each === field)) continue;
      const flag = `--${field.replaceAll('_', '-')}`;
      const option = command.options.find(({ long }) => long === flag);
      assert.ok(option !== undefined, `${name} has no ${flag}`);
    }
    if ('destroys' in of) {
      const asks = ['--yes', '--confirm'].filter((flag) => command.options.some(({ long }) => long === flag));
      assert.deepEqual(asks, 'asksNothing' in of ? ['--confirm'] : ['--yes', '--confirm'], name);
    }
    for (const flag of 'always' in of ? of.always : []) {
      assert.ok(
        command.options.some(({ long }) => long === flag),
        `${name} has no ${flag}`,
      );
    }
    for (const option of command.options.filter(({ mandatory }) => mandatory)) {
      const field = (option.long ?? '').slice(2).replaceAll('-', '_');
      assert.ok(Object.hasOwn(of.fields, field), `${name} wants ${field}`);
    }
  }
});

test('every command of the command line can be asked for, or is done at the machine, for a reason', () => {
  const atTheMachine: Readonly<Record<string, string>> = {
    init: 'shows the recovery key',
    'key add': 'takes or shows a secret',
    'key remove': 'takes secrets as proof',
    'key rotate': 'takes a secret',
    'key rotate-data': 'takes secrets as proof',
    'key split': 'shows shares',
    'key combine': 'takes shares',
    'wal receive': 'the service keeps it running itself',
    'wal push': 'called by PostgreSQL',
    'wal fetch': 'called by PostgreSQL',
    'storage seal': 'run by root',
    canary: 'the receivers of the service write it',
    'drill init': 'writes a file to be read by people, beside the configuration',
    serve: 'the service itself',
    'notify test': 'takes the channels’ secrets',
    'token create': 'an API of its own',
    'token list': 'an API of its own',
    'token revoke': 'an API of its own',
    ...Object.fromEntries(
      ['list', 'show', 'watch', 'log', 'cancel', 'approve', 'reject'].map((word) => [
        `job ${word}`,
        'an API of its own',
      ]),
    ),
    'lab up': 'for trying out',
    'lab down': 'for trying out',
    'lab list': 'for trying out',
    'lab psql': 'for trying out',
    'config schema': 'the same everywhere',
    explain: 'the same everywhere',
    completion: 'the same everywhere',
    man: 'the same everywhere',
    schema: 'the same everywhere',
    help: 'the same everywhere',
    __complete: 'asked by shells',
  };
  const names = (command: ReturnType<typeof createProgram>, before: string): readonly string[] =>
    command.commands.flatMap((each) => {
      const name = `${before}${each.name()}`;
      return each.commands.length === 0 ? [name] : names(each, `${name} `);
    });
  const all = names(
    createProgram(() => Promise.resolve()),
    '',
  );
  assert.deepEqual(
    all.filter((name) => !Object.hasOwn(jobCommands, name) && !Object.hasOwn(atTheMachine, name)),
    [],
  );
  assert.deepEqual(
    Object.keys(jobCommands).filter((name) => !all.includes(name)),
    [],
  );
});
