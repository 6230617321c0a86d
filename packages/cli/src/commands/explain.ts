// `spillway explain <code>`: what an error code means and what to do; without a code, all of them.

import { errorTable, nearest, SpillwayError, type ErrorCode, type ExplainDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import { renderTable } from '../ui/table.ts';

export const explain: Command<object> = async ({ output }, _options, word) => {
  if (word === undefined) {
    const all = codes.map((code) => documentOf(code));
    output.result(all, () =>
      renderTable(
        [{ title: 'CODE' }, { title: 'EXIT', align: 'right' }, { title: 'MEANING' }],
        all.map(({ code, exit_code: exit, meaning }) => [code, String(exit), meaning]),
      ),
    );
    return 0;
  }
  const document = documentOf(parseCode(word));
  output.result(
    document,
    () =>
      `${document.code} (exit code ${document.exit_code})\n${document.meaning}\nWhat to do: ${document.hint}.${document.retryable ? '\nThe same call may succeed later with nothing changed.' : ''}`,
  );
  return 0;
};

const codes = Object.keys(errorTable) as readonly ErrorCode[];

function parseCode(word: string): ErrorCode {
  const wanted = word
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^(?!SPW_)/, 'SPW_');
  const found = codes.find((code) => code === wanted);
  if (found !== undefined) return found;
  const meant = nearest(wanted, codes);
  throw new SpillwayError('SPW_USAGE', `there is no error code ${word}`, {
    why: meant === undefined ? 'the table does not have it' : `did you mean ${meant}?`,
    hint: 'list them all with: spillway explain',
  });
}

const documentOf = (code: ErrorCode): ExplainDocument => {
  const { meaning, hint, exit, retryable } = errorTable[code];
  return { code, meaning, hint, exit_code: exit, retryable };
};
