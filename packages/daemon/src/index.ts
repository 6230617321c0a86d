// The service: schedules, jobs and receivers, and the API over them. It reads no configuration file and no environment: the
// command line hands in both.

export { type Clock, wait } from './clock.ts';
export type { Launch } from './job/child.ts';
export { type Channel, deliver } from './notify/channel.ts';
export type { Message } from './notify/decide.ts';
export type { Letter } from './notify/letters.ts';
export { type Service, type ServiceOptions, startService } from './service.ts';
export { type OfflineTokens, openTokens } from './tokens.ts';
export type { CertificateSeen, PlaceSeen, Watch } from './watch.ts';
