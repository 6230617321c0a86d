#!/usr/bin/env node
// The start: refuse an old Node in words that it can still say, then load the rest.
// Only plain syntax here, and no static import: an old Node must get as far as the sentence.
// Invariant: an installation that cannot even start ends with 150, never with the 1 that a recovering PostgreSQL takes
// for "no such WAL file".

const wanted = 24;
if (Number.parseInt(process.versions.node, 10) < wanted) {
  process.stderr.write(`spillway: this is Node ${process.versions.node}, and Spillway needs Node ${wanted} or newer\n`);
  process.exitCode = 150;
} else {
  try {
    const { run } = await import('./run.ts');
    await run(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`spillway: cannot start\n  ${String(error)}\n  hint: install Spillway again [SPW_INTERNAL]\n`);
    if (process.argv.includes('--debug')) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`);
    process.exitCode = 150;
  }
}
