// The console: files that were built before, read once at the start and served out of memory.
//
// 1. A path that is a file of the build is that file; those under /assets/ have their hash in their name and never change.
// 2. Any other path that a browser goes to by itself is a page of the console: it gets index.html, and the page finds out what
//    it shows. What ends like a file, and whatever is under /api/, is not there.
// 3. Nothing of it is secret: whoever has no session is asked for a token by the page.
// Invariant: no path of a request is ever joined with a folder; only names that the build has are answered.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';

const kinds: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

interface Asset {
  readonly kind: string;
  readonly body: Buffer;
  readonly zipped: Buffer;
  readonly etag: string;
}

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Spillway</title>
<h1>The console is not built</h1>
<p>This service runs from a checkout in which the console was not built yet. Run <code>npm run web</code> there and start the
service again.</p>
<p>All else works: the API is at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p></html>
`;

/** `folder` is what `npm run web` made; undefined where it did not. */
export async function consoleRoutes(app: Api, folder: string | undefined): Promise<void> {
  const assets = folder === undefined ? new Map<string, Asset>() : await readAssets(folder);
  const page = assets.get('/index.html');
  if (page === undefined) app.log.warn('the console is not built; npm run web in the checkout builds it');

  app.get(
    '/*',
    { config: { wants: 'open', rateLimit: false }, schema: { hide: true } },
    async (request, reply): Promise<FastifyReply> => {
      const path = request.url.split('?')[0] ?? '/';
      const asset = assets.get(path);
      if (asset !== undefined && asset !== page) return send(request, reply, asset, path.startsWith('/assets/'));
      if (!isPage(request, path)) throw new Problem('not_found', `there is no GET ${path}`);
      if (page !== undefined) return send(request, reply, page, false);
      return reply
        .code(503)
        .header('content-type', kinds['.html'] ?? '')
        .send(NOT_BUILT);
    },
  );
}

/** What a person opens in a browser, and a link of the console's. */
const isPage = ({ headers }: FastifyRequest, path: string): boolean =>
  path === '/' ||
  (!path.startsWith('/api/') &&
    headers.accept?.includes('text/html') === true &&
    extname(path) === '' &&
    /^[\w/.-]+$/.test(path));

function send(request: FastifyRequest, reply: FastifyReply, asset: Asset, isForever: boolean): FastifyReply {
  void reply
    .header('etag', asset.etag)
    .header('cache-control', isForever ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('vary', 'accept-encoding');
  if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
  const isZipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  if (isZipped) void reply.header('content-encoding', 'gzip');
  return reply.header('content-type', asset.kind).send(isZipped ? asset.zipped : asset.body);
}

async function readAssets(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const kind = kinds[extname(entry.name)];
    if (!entry.isFile() || kind === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    const body = await readFile(file);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    assets.set(file.slice(folder.length).replaceAll('\\', '/'), {
      kind,
      body,
      zipped: await promisify(gzip)(body),
      etag,
    });
  }
  return assets;
}
