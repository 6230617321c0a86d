// The service, and who may call it.

import { Option } from 'commander';
import { add, type Branch, group, SPEAKS } from './tree.ts';

export const serviceCommands: Branch = (program, call) => {
  add(
    program,
    'serve',
    'run the service: schedules, WAL receivers and the API, until stopped',
    'spillway serve --config /etc/spillway/spillway.yaml',
  )
    .addOption(new Option('--log-level <level>', 'what is logged').choices(['debug', 'info', 'warn']).default('info'))
    .action(call(async () => (await import('../commands/serve.ts')).serve(program.version() ?? '')));
  const notify = group(program, 'notify', 'whom the service tells when something is wrong');
  add(
    notify,
    'test [channel]',
    'send a test notification by every channel, or by one',
    'spillway notify test operators',
  ).action(call(async () => (await import('../commands/notify.ts')).testNotifications));
  const token = group(program, 'token', 'who may call the service');
  add(
    token,
    'create <name>',
    'make a token, which is shown this one time',
    'spillway token create grafana --role viewer',
  )
    .addOption(
      new Option('--role <role>', 'viewers look, operators run jobs, administrators may do all')
        .choices(['viewer', 'operator', 'administrator'])
        .makeOptionMandatory(),
    )
    .option('--expires <duration>', 'how long it is good for, such as 90d (else until it is revoked)')
    .action(call(async () => (await import('../commands/token.ts')).createToken, SPEAKS));
  add(token, 'list', 'list the tokens', 'spillway token list').action(
    call(async () => (await import('../commands/token.ts')).listTokens, SPEAKS),
  );
  add(token, 'revoke <token-id>', 'revoke a token, and end its sessions', 'spillway token revoke 3f2a91cc').action(
    call(async () => (await import('../commands/token.ts')).revokeToken, SPEAKS),
  );
};
