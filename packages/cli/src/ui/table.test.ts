import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderPairs, renderTable } from './table.ts';

test('columns are as wide as their widest cell, numbers to the right, no blanks at the end', () => {
  const table = renderTable(
    [{ title: 'ID' }, { title: 'SIZE', align: 'right' }, { title: 'STATE' }],
    [
      ['1a2b3c4d', '1 GiB', 'ok'],
      ['x', '900 MiB', ''],
    ],
  );
  assert.equal(table, ['ID           SIZE  STATE', '1a2b3c4d    1 GiB  ok', 'x         900 MiB'].join('\n'));
});

test('colours do not count as width', () => {
  const coloured = renderTable([{ title: 'A' }, { title: 'B' }], [['\u001B[32mOK\u001B[39m', 'x']]);
  assert.equal(coloured, 'A   B\n\u001B[32mOK\u001B[39m  x');
});

test('a table without rows is its heading', () => {
  assert.equal(renderTable([{ title: 'A' }, { title: 'B' }], []), 'A  B');
  assert.equal(renderPairs([]), '');
});

test('pairs stand in two columns', () => {
  assert.equal(
    renderPairs([
      ['id', '1'],
      ['cluster', 'main'],
    ]),
    'id       1\ncluster  main',
  );
});
