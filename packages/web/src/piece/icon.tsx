// Small pictures beside words; never instead of them.

const paths = {
  overview: 'M3 10.5 8 3l5 7.5M5 9v4h6V9',
  backups: 'M2.5 4.5h11v3h-11zM3.5 7.5v5h9v-5M6.5 10h3',
  jobs: 'M3 4h10M3 8h7M3 12h4M12 9.5l2.5 2L12 13.5z',
  storage: 'M3 4.5c0-2.2 10-2.2 10 0v7c0 2.2-10 2.2-10 0zM3 4.5c0 2.2 10 2.2 10 0M3 8c0 2.2 10 2.2 10 0',
  drills: 'M8 2.5a5.5 5.5 0 1 0 5.5 5.5M8 5.5V8l2 1.5M10 2.8l2.6.2-.3 2.6',
  health: 'M2 8.5h2.8L6.5 4l3 8 1.8-3.5H14',
  findings: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1',
  settings: 'M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M10 3.3v3.4M6 9.3v3.4',
  audit: 'M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
