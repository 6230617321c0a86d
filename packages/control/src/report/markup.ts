// HTML in which whatever is put in is escaped, unless it is HTML made here. Pure.

export interface Markup {
  readonly html: string;
}

type Value = string | number | Markup | readonly Markup[];

/** A template: text is escaped, so it can stand in an element and in a quoted attribute. */
export const html = (strings: TemplateStringsArray, ...values: readonly Value[]): Markup => ({
  html: strings.reduce((sum, text, n) => sum + inserted(values[n - 1]) + text),
});

function inserted(value: Value | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return 'html' in value ? value.html : value.map((each) => each.html).join('');
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (each) => escapes[each] ?? each);
