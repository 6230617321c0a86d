import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tidySchemas } from './openapi.ts';

const to = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

test('what nothing refers to is left out, what is only read has its own name, and what is both read and written has two', () => {
  const document = {
    paths: { '/a': { body: to('AskInput'), answer: [to('Told'), to('Both')] }, '/b': { body: to('BothInput') } },
    components: {
      securitySchemes: { token: {} },
      schemas: {
        Ask: { never: true },
        AskInput: { part: to('PartInput') },
        PartInput: { self: to('PartInput') },
        Part: {},
        Told: { type: 'object' },
        ToldInput: {},
        Both: { written: true },
        BothInput: { read: true },
      },
    },
  };
  assert.deepEqual(tidySchemas(document), {
    paths: { '/a': { body: to('Ask'), answer: [to('Told'), to('Both')] }, '/b': { body: to('BothInput') } },
    components: {
      securitySchemes: { token: {} },
      schemas: {
        Ask: { part: to('Part') },
        Both: { written: true },
        BothInput: { read: true },
        Part: { self: to('Part') },
        Told: { type: 'object' },
      },
    },
  });
  assert.deepEqual(tidySchemas({ paths: {} }), { paths: {}, components: { schemas: {} } });
});
