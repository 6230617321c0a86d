import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statementsOnly } from './define.ts';

test("psql's own commands go, and nothing that only looks like one", () => {
  const dumped = String.raw`--
\restrict 3fT9
SET statement_timeout = 0;
SET transaction_timeout = 0;
CREATE TABLE public.x (
    word text DEFAULT '
\restrict other
\unrestrict 3fT9x
'
);
\unrestrict 3fT9
`;
  assert.equal(
    statementsOnly(dumped),
    String.raw`--
SET statement_timeout = 0;
CREATE TABLE public.x (
    word text DEFAULT '
\restrict other
\unrestrict 3fT9x
'
);
`,
  );
});

test('the output of a pg_dump that has no such commands stays as it is', () => {
  const dumped = 'SET statement_timeout = 0;\nCREATE TABLE public.x ();\n';
  assert.equal(statementsOnly(dumped), dumped);
});
