// The way to a page, above its title.

import { Link } from 'wouter';

export function Crumbs({
  to,
  at,
}: {
  readonly to: readonly (readonly [path: string, name: string])[];
  readonly at: string;
}) {
  return (
    <nav aria-label="Way to this page" className="crumbs">
      <ol>
        {to.map(([path, name]) => (
          <li key={path}>
            <Link href={path}>{name}</Link>
          </li>
        ))}
        <li aria-current="page">{at}</li>
      </ol>
    </nav>
  );
}
