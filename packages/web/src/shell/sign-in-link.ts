// A link that signs in: `http://…/#token=spw_…`, as the demo prints one. What stands behind # never leaves the browser.
//
// 1. The token is taken out of the address, and out of the history with it, before anything else is done.
// 2. It is given once: a session that ends asks for a token again.

let held: string | undefined;

/** To be called when the page is loaded, and when what stands behind # has changed. */
export function holdLinkToken(): void {
  const [, token] = /^#token=([\w-]{1,200})$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(history.state, '', `${location.pathname}${location.search}`);
  held = token;
}

export function takeLinkToken(): string | undefined {
  const token = held;
  held = undefined;
  return token;
}
