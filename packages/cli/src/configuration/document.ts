// The configuration file as YAML that remembers where each key stands, so that a problem can be shown at its place.
// Messages carry no text of the file: a secret that was written there by mistake must not reach a log.

import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ConfigurationDocument {
  readonly content: unknown;
  /** Syntax errors; where there are some, `content` is undefined. */
  readonly errors: readonly { readonly place: Place; readonly message: string }[];
  /** The place of the key or value at `path`, or of the nearest group around it. */
  readonly placeOf: (path: readonly (string | number)[], at: 'key' | 'value') => Place;
  readonly has: (path: readonly (string | number)[]) => boolean;
}

export function parseConfigurationDocument(text: string): ConfigurationDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const errors = [...document.errors, ...document.warnings].map((error) => ({
    place: placeAt(error.pos[0]),
    message: messages[error.code] ?? 'is not valid YAML',
  }));
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      errors.push({
        place: placeAt(alias.range?.[0] ?? 0),
        message: 'is an alias (*) without its anchor (&) before it',
      });
    },
  });
  return {
    content: errors.length === 0 ? document.toJS({ maxAliasCount: 50 }) : undefined,
    errors,
    placeOf: (path, at) => placeAt(offsetOf(document, path, at)),
    has: (path) => find(document, path).depth === path.length,
  };
}

/** YAML's own messages quote the text; these say as much without it. */
const messages: Readonly<Record<string, string>> = {
  BAD_INDENT: 'is not indented as the lines around it',
  TAB_AS_INDENT: 'is indented with a tab; YAML wants spaces',
  DUPLICATE_KEY: 'is there twice',
  MISSING_CHAR: 'lacks a character, such as a closing quote or bracket, or the space after a colon',
  MULTIPLE_DOCS: 'begins a second document; there can be one',
  BLOCK_AS_IMPLICIT_KEY: 'has two colons in a line where YAML allows one; quote the value',
  MULTILINE_IMPLICIT_KEY: 'has no colon after its key',
};

interface Found {
  readonly key: Node | undefined;
  readonly value: Node | null;
  readonly depth: number;
}

function find(document: Document.Parsed, path: readonly (string | number)[]): Found {
  let found: Found = { key: undefined, value: document.contents, depth: 0 };
  for (const part of path) {
    if (isSeq<Node | null>(found.value) && typeof part === 'number') {
      const item = found.value.items[part];
      if (item === undefined) break;
      // An item has no key: it is shown where it begins.
      found = { key: undefined, value: item, depth: found.depth + 1 };
      continue;
    }
    if (!isMap<Node, Node | null>(found.value)) break;
    const pair = found.value.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
    if (pair === undefined) break;
    found = { key: pair.key, value: pair.value, depth: found.depth + 1 };
  }
  return found;
}

function offsetOf(document: Document.Parsed, path: readonly (string | number)[], at: 'key' | 'value'): number {
  const { key, value, depth } = find(document, path);
  const exact = depth === path.length;
  // A key that is missing is shown at the group that should have it.
  const node = exact && at === 'value' && isScalar(value) ? value : (key ?? value);
  return node?.range?.[0] ?? 0;
}
