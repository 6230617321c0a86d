// The channels of `notifications` with their secrets fetched.

import type { Channel } from '@spillway/daemon';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { readCertificate, secretAt } from './session.ts';

export function channelsOf(context: Context, loaded: LoadedConfiguration): Promise<readonly Channel[]> {
  return Promise.all(
    Object.entries(loaded.configuration.notifications.channels).map(async ([name, settings]): Promise<Channel> => {
      const fetched = async (field: string, source: Parameters<typeof secretAt>[4] | undefined): Promise<string> => {
        if (source === undefined) return '';
        const at = ['notifications', 'channels', name, field];
        return (await secretAt(context, loaded, `${field} of the channel ${name}`, at, source)).reveal();
      };
      switch (settings.kind) {
        case 'email': {
          const { password, ssl_root_certificate_file: file } = settings;
          const at = ['notifications', 'channels', name, 'ssl_root_certificate_file'];
          const root =
            file === undefined ? undefined : await readCertificate(loaded.resolvePath(at, file), context.signal);
          return {
            name,
            settings,
            secret: await fetched('password', password),
            ...(root === undefined ? {} : { rootCertificate: root }),
          };
        }
        case 'pagerduty':
          return { name, settings, secret: await fetched('routing_key', settings.routing_key) };
        case 'sns':
          return { name, settings, secret: '' };
        case 'webhook':
          return {
            name,
            settings,
            secret: await fetched('url', settings.url),
            key: await fetched('key', settings.key),
          };
        default:
          return { name, settings, secret: await fetched('url', settings.url) };
      }
    }),
  );
}
