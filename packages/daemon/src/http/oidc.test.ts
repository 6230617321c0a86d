import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf } from './oidc.ts';

const settings = {
  roles_claim: 'groups',
  roles: { viewer: ['staff'], operator: ['dba', 'sre'], administrator: ['leads'] },
};

test('a role comes from what somebody belongs to, the highest of several, and from nothing else', () => {
  for (const [claims, expected] of [
    [{ sub: '1', groups: ['staff'] }, ['1', 'viewer']],
    [{ sub: '1', email: 'a@b', groups: ['sre', 'staff'] }, ['a@b', 'operator']],
    [{ sub: '1', email: 'a@b', preferred_username: 'ann', groups: 'leads' }, ['ann', 'administrator']],
    [{ sub: '1', groups: ['others'] }, undefined],
    [{ sub: '1', groups: [] }, undefined],
    [{ sub: '1' }, undefined],
    [{ sub: '1', groups: { leads: true } }, undefined],
    [{ sub: '1', groups: [['leads']] }, undefined],
    [{ sub: '1', role: 'administrator' }, undefined],
    [{ groups: ['leads'] }, undefined],
    [{ sub: 'a\nb', groups: ['staff'] }, ['a\nb', 'viewer']],
  ] as const) {
    const identity = identityOf(claims, settings);
    assert.deepEqual(identity && [identity.name, identity.role], expected, JSON.stringify(claims));
  }
});
