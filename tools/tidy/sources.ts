// The project's TypeScript files, each with what the rules need: its imports, its text without comments, its strings.
//
// The scanner knows just enough of the language: comments, strings, template literals, and regular expressions (by what
// stands before the slash). It is tested with the traps of each in tidy.test.ts.

import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

export interface Source {
  /** From the root of the project, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Comments and the insides of strings blanked out; lines and columns as in `text`. */
  readonly code: string;
  /** What stands in string and template literals. */
  readonly strings: readonly string[];
  readonly imports: readonly Import[];
}

export interface Import {
  /** As written: `./lsn.ts`, `@spillway/engine`, `node:fs`. */
  readonly specifier: string;
  /** The project's file it leads to; undefined for packages. */
  readonly target: string | undefined;
  readonly isDynamic: boolean;
  readonly isTypeOnly: boolean;
}

export interface Text {
  readonly path: string;
  readonly text: string;
}

const FOLDERS = ['packages', 'apps', 'demo', 'bench', 'tools'];
const NOT_OURS = new Set(['node_modules', '.git', '.lab', 'results', 'dist']);
const TEXT = /\.(?:md|tsx?|css|js|mjs|json|yaml|yml|sh|sql)$|^\.ci\/run$|^\.[a-z]+$/;

/** Everything that can be read: code, documents, settings, scripts. */
export async function readTexts(root: string): Promise<readonly Text[]> {
  const texts: Text[] = [];
  const waiting = ['.'];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '.' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !NOT_OURS.has(entry.name)) waiting.push(path);
      if (entry.isFile() && TEXT.test(path)) texts.push({ path, text: await readFile(join(root, path), 'utf8') });
    }
  }
  return texts;
}

export async function readSources(root: string): Promise<readonly Source[]> {
  const files: string[] = [];
  for (const folder of FOLDERS) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const path = relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
      if (entry.isFile() && /\.tsx?$/.test(entry.name) && !path.includes('node_modules/')) files.push(path);
    }
  }
  return Promise.all(files.toSorted().map(async (path) => sourceOf(path, await readFile(join(root, path), 'utf8'))));
}

export function sourceOf(path: string, text: string): Source {
  const { code, strings } = scan(text);
  return { path, text, code, strings: strings.map(({ value }) => value), imports: importsOf(path, code, strings) };
}

interface Literal {
  readonly start: number;
  readonly value: string;
}

const statement = /^[ \t]*(import|export)\b([^;'"`]*?)(['"])/gm;
const dynamic = /\bimport\s*\(\s*(['"])/g;
const worker = /\bnew\s+URL\s*\(\s*(['"])/g;

function importsOf(path: string, code: string, strings: readonly Literal[]): Import[] {
  const at = new Map(strings.map((literal) => [literal.start, literal.value]));
  const found: Import[] = [];
  const add = (quote: number, isDynamic: boolean, isTypeOnly: boolean): void => {
    const specifier = at.get(quote);
    if (specifier === undefined) return;
    const target = specifier.startsWith('.') ? relative('/', resolve('/', dirname(path), specifier)) : undefined;
    found.push({ specifier, target, isDynamic, isTypeOnly });
  };
  for (const match of code.matchAll(statement)) {
    const between = match[2] ?? '';
    if (!/\bfrom\s*$/.test(between) && !(match[1] === 'import' && between.trim() === '')) continue;
    add(match.index + match[0].length - 1, false, /^\s+type\b/.test(between));
  }
  for (const match of code.matchAll(dynamic)) add(match.index + match[0].length - 1, true, false);
  // `new URL('./worker.ts', import.meta.url)` starts a worker or names a program: it keeps that file alive.
  for (const match of code.matchAll(worker)) {
    if (at.get(match.index + match[0].length - 1)?.endsWith('.ts') === true)
      add(match.index + match[0].length - 1, true, false);
  }
  return found;
}

/** Blanks comments and the insides of literals, and collects the literals. */
export function scan(text: string): { readonly code: string; readonly strings: readonly Literal[] } {
  const code = text.split('');
  const strings: Literal[] = [];
  const blank = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (code[at] !== '\n') code[at] = ' ';
  };
  // Each `${` of a template pushes the depth of braces at which its template goes on.
  const templates: number[] = [];
  let braces = 0;
  let before = '';
  let at = 0;
  const readTemplate = (start: number): void => {
    let end = start + 1;
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end)) end += text[end] === '\\' ? 2 : 1;
    strings.push({ start, value: text.slice(start + 1, end) });
    blank(start + 1, end);
    if (text[end] === '`') at = end + 1;
    else {
      templates.push(braces++);
      at = end + 2;
    }
    before = text[end] === '`' ? '`' : '{';
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    const next = text[at + 1];
    if (character === '/' && next === '/') {
      const end = indexOr(text, '\n', at);
      blank(at, end);
      at = end;
    } else if (character === '/' && next === '*') {
      const end = indexOr(text, '*/', at + 2) + 2;
      blank(at, end);
      at = end;
    } else if (character === "'" || character === '"') {
      let end = at + 1;
      while (end < text.length && text[end] !== character && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
      strings.push({ start: at, value: text.slice(at + 1, end) });
      blank(at + 1, end);
      at = end + 1;
      before = character;
    } else if (character === '`') {
      readTemplate(at);
    } else if (character === '}' && templates.at(-1) === braces - 1) {
      templates.pop();
      braces--;
      readTemplate(at);
    } else if (character === '/' && startsExpression(before)) {
      let end = at + 1;
      let inClass = false;
      while (end < text.length && text[end] !== '\n' && (inClass || text[end] !== '/')) {
        if (text[end] === '[') inClass = true;
        else if (text[end] === ']') inClass = false;
        end += text[end] === '\\' ? 2 : 1;
      }
      blank(at + 1, end);
      at = end + 1;
      before = '/r';
    } else {
      if (character === '{') braces++;
      else if (character === '}') braces--;
      const word = /^[\w$]+/.exec(text.slice(at, at + 64))?.[0];
      if (word === undefined) {
        if (character.trim() !== '') before = character;
        at++;
      } else {
        before = word;
        at += word.length;
      }
    }
  }
  return { code: code.join(''), strings };
}

const expressionWords = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'await',
  'yield',
  'delete',
  'void',
  'throw',
  'else',
]);

/** Whether a slash after this begins a regular expression, not a division. */
const startsExpression = (before: string): boolean =>
  before === '' || expressionWords.has(before) || /^[=(,:[!&|?{};+\-*%<>~^]$/.test(before);

const indexOr = (text: string, part: string, from: number): number => {
  const found = text.indexOf(part, from);
  return found === -1 ? text.length : found;
};
