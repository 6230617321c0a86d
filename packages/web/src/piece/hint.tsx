// What to do next, as the service says it: a command of Spillway stands as one.

import { capital } from '../wording.ts';

export function Hint({ text }: { readonly text: string }) {
  const [, command, rest] = /^(spillway [^,;]+)(.*)$/.exec(text) ?? [];
  if (command === undefined) return <>{capital(text)}.</>;
  return (
    <>
      <code>{command}</code>
      {rest}
    </>
  );
}
