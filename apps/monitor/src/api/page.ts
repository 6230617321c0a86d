// The operators' page: the files of page/, and the chart library out of its package; nothing comes from another host.
//
// The page is TypeScript like the rest. Its types are blanked out once, at the start, which needs no build: lines and
// columns stay as they are.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Api } from './http.ts';

const kinds: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  ts: 'text/javascript; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

interface Asset {
  readonly kind: string;
  readonly body: string;
  readonly etag: string;
}

export async function pageRoutes(app: Api): Promise<void> {
  const folder = new URL('../../page/', import.meta.url);
  const assets = new Map<string, Asset>();
  for (const name of await readdir(folder)) {
    const asset = assetOf(name, await readFile(new URL(name, folder), 'utf8'));
    if (asset !== undefined) assets.set(name === 'index.html' ? '/' : `/page/${name}`, asset);
  }
  for (const name of ['uPlot.iife.min.js', 'uPlot.min.css']) {
    const file = fileURLToPath(import.meta.resolve(`uplot/dist/${name}`));
    const asset = assetOf(name, await readFile(file, 'utf8'));
    if (asset !== undefined) assets.set(`/page/${name}`, asset);
  }
  for (const [url, { kind, body, etag }] of assets) {
    app.get(url, { schema: { hide: true } }, async (request, reply) => {
      void reply.header('etag', etag).header('cache-control', 'no-cache');
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.header('content-type', kind).send(body);
    });
  }
}

function assetOf(name: string, text: string): Asset | undefined {
  const kind = kinds[name.slice(name.lastIndexOf('.') + 1)];
  if (kind === undefined) return undefined;
  const body = name.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  return { kind, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}
