// Stands in for the command line where a test is about the service: says what a hostile server could make it say, and ends as
// the name of the cluster wants it. With `receive` among its words it stays until it is told to end.

const words = process.argv.slice(2);
const say = (document: object): void => void process.stderr.write(`${JSON.stringify(document)}\n`);
const now = new Date().toISOString();

say({ type: 'progress', at: now, phase: 'copying files', done_bytes: 10, total_bytes: 20 });
say({
  type: 'notice',
  level: 'info',
  message: 'a\u001b[2J\u001b[31mred\r\nevent: job\ndata: {"forged":true}\n\n{"level":60}',
});
process.stderr.write('id: 99\nevent: job\ndata: {"forged":true}\n\n');
process.stderr.write(`${'x'.repeat(200_000)}\n`);
const cluster = words[words.indexOf('--cluster') + 1] ?? '';
if (words.includes('--all')) {
  process.on('SIGTERM', () => process.exit(143));
  setInterval(() => undefined, 60_000);
} else {
  process.stdout.write(`${JSON.stringify({ words, cluster })}\n`);
}
