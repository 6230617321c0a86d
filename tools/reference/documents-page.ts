// docs/json.md from the schemas: a section a command, a row a field. Pure.

export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly additionalProperties?: JsonSchema | boolean;
}

export function documentsPage(schemas: Readonly<Record<string, JsonSchema>>): string {
  const sections = Object.entries(schemas).map(([command, schema]) => section(command, schema));
  return `# What commands print with --json

<!-- Made by npm run reference. -->

One JSON document on one line of standard output, at the end. A command that fails prints the document *error* on standard
error instead, and its exit code tells the kind of failure. The same as JSON Schema: \`spillway schema <command>\`, or the files
in \`docs/schema/\`.

This is a contract with programs:

- What is there keeps its name, its type and its meaning. New fields may be added: ignore what you do not know.
- Names are snake_case, units stand at their end: \`_seconds\` (fractions allowed), \`_bytes\`, \`_lsn\` (text, as PostgreSQL writes it),
  \`_at\` (RFC 3339 in UTC).
- Numbers are never formatted: sizes are whole bytes.
- LSNs, transaction ids and system identifiers are text, because they do not fit a JSON number.

${sections.join('\n\n')}
`;
}

function section(command: string, schema: JsonSchema): string {
  const title = command === 'error' ? 'error' : `spillway ${command}`;
  const note = schema.description === undefined ? '' : `${sentence(schema.description)}\n\n`;
  const variants = schema.anyOf ?? [schema];
  return `## ${title}\n\n${note}${variants.map(table).join('\n\nor\n\n')}`;
}

function table(schema: JsonSchema): string {
  const list = schema.items !== undefined && schema.properties === undefined;
  const rows = fields(list ? (schema.items ?? {}) : schema, '');
  const lead = list ? 'A list; of each element:\n\n' : '';
  return `${lead}| field | type | unit or meaning |\n|---|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`;
}

function fields(schema: JsonSchema, prefix: string): readonly (readonly string[])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const { inner, nullable } = withoutNull(field);
    const optional = !(schema.required ?? []).includes(name);
    const type = `${typeOf(inner)}${nullable ? ' or null' : ''}${optional ? ', may be absent' : ''}`;
    const described = field.description ?? inner.description ?? unitOf(name);
    const row = [`\`${path}\``, type, described];
    const nested = withoutNull(inner.items ?? inner).inner;
    return [row, ...fields(nested, inner.items === undefined ? `${path}.` : `${path}[].`)];
  });
}

function withoutNull(schema: JsonSchema): { readonly inner: JsonSchema; readonly nullable: boolean } {
  const variants = schema.anyOf ?? [];
  const others = variants.filter(({ type }) => type !== 'null');
  const [only, second] = others;
  const nullable = others.length < variants.length;
  return { inner: nullable && only !== undefined && second === undefined ? only : schema, nullable };
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) return variants.map((each) => typeOf(each)).join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(withoutNull(schema.items).inner)}`;
  if (schema.format === 'date-time') return 'time';
  const words: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', boolean: 'true or false' };
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? ['any']);
  return types.map((type) => words[type] ?? type).join(' or ');
}

const unitOf = (name: string): string => {
  if (name === 'bytes' || name.endsWith('_bytes')) return 'bytes';
  if (name.endsWith('_per_second')) return 'a second';
  if (name.endsWith('_seconds')) return 'seconds';
  if (name.endsWith('_lsn')) return 'position in WAL';
  return name.endsWith('_at') ? 'RFC 3339, UTC' : '';
};

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
