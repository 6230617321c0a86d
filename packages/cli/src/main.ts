#!/usr/bin/env node
// The start: refuse an old Node in words that it can still say, then load the rest.
// Only plain syntax here, and no static import: an old Node must get as far as the sentence.

const wanted = 24;
if (Number.parseInt(process.versions.node, 10) < wanted) {
  process.stderr.write(`spillway: this is Node ${process.versions.node}, and Spillway needs Node ${wanted} or newer\n`);
  process.exitCode = 150;
} else {
  // An installation that is broken must never look like "no such WAL file" (1) to a recovering PostgreSQL.
  process.exitCode = 150;
  const { run } = await import('./run.ts');
  await run(process.argv.slice(2));
}
