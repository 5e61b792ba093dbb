import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { before, describe, it } from 'node:test';
import { nodeEnv } from '../../../src/node/env.ts';
import {
  addAddress,
  addRoute,
  deleteInterface,
  findInterface,
  listInterfaces,
  removeAddress,
  removeRoute,
  setDown,
  setMac,
  setMtu,
  setUp,
} from '../../../src/node/linux/netdev.ts';
import { openTap } from '../../../src/node/linux/tap.ts';
import { formatMac } from '../../../src/wire/address.ts';
import { enterNetns } from './kernel.ts';
import { skipReason } from './netns.ts';

const skip = skipReason();

function addressesOf(name: string): string[] {
  return findInterface(name).addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
}

/** What Node itself sees. */
function nodeSees(name: string): (string | null)[] {
  return (networkInterfaces()[name] ?? []).map(({ cidr }) => cidr);
}

describe('interfaces of the kernel', { skip, timeout: 20_000 }, () => {
  before(enterNetns);

  it('are listed with their state', () => {
    const [lo] = listInterfaces();
    assert.equal(lo?.name, 'lo');
    assert.equal(lo.index, 1);
    assert.ok(lo.up && lo.running && lo.loopback);
    assert.equal(lo.mtu, 65536);
    assert.deepEqual(addressesOf('lo'), ['127.0.0.1/8', '::1/128']);
  });

  it('are put up and down, and change MTU and hardware address', () => {
    const link = openTap({ name: 'nd0', env: nodeEnv() });
    assert.equal(findInterface('nd0').up, false);
    setUp('nd0');
    assert.equal(findInterface('nd0').up, true);
    setMtu('nd0', 1280);
    assert.equal(findInterface('nd0').mtu, 1280);
    setDown('nd0');
    assert.equal(findInterface('nd0').up, false);
    const mac = Uint8Array.of(2, 0, 0, 1, 2, 3);
    setMac('nd0', mac);
    assert.equal(formatMac(findInterface('nd0').mac), formatMac(mac));
    link.close();
  });

  it('take addresses of both families, and lose them', () => {
    const link = openTap({ name: 'nd1', env: nodeEnv(), mode: 'tun' });
    setUp('nd1');
    addAddress('nd1', '10.65.3.1/24');
    addAddress('nd1', 'fd65:3::1/64');
    assert.ok(addressesOf('nd1').includes('10.65.3.1/24'));
    assert.ok(addressesOf('nd1').includes('fd65:3::1/64'));
    assert.ok(nodeSees('nd1').includes('10.65.3.1/24'));
    assert.ok(nodeSees('nd1').includes('fd65:3::1/64'));
    assert.throws(() => addAddress('nd1', '10.65.3.1/24'), { code: 'EEXIST' });
    removeAddress('nd1', '10.65.3.1/24');
    removeAddress('nd1', 'fd65:3::1/64');
    assert.ok(!nodeSees('nd1').includes('10.65.3.1/24'));
    assert.throws(() => removeAddress('nd1', '10.65.3.1/24'), { code: 'EADDRNOTAVAIL' });
    link.close();
  });

  it('take routes', () => {
    const link = openTap({ name: 'nd2', env: nodeEnv() });
    addAddress('nd2', '10.65.4.1/24');
    setUp('nd2');
    assert.throws(() => addRoute('10.66.0.0/16', { via: '192.0.2.1', dev: 'nd2' }), { code: 'ENETUNREACH' });
    addRoute('10.65.128.0/17', { via: '10.65.4.2' });
    assert.throws(() => addRoute('10.65.128.0/17', { via: '10.65.4.2' }), { code: 'EEXIST' });
    removeRoute('10.65.128.0/17');
    assert.throws(() => removeRoute('10.65.128.0/17'), { code: 'ESRCH' });
    addRoute('0.0.0.0/0', { dev: 'nd2' });
    addRoute('fd65:5::/32', { dev: 'nd2' });
    link.close();
  });

  it('are deleted', () => {
    const link = openTap({ name: 'nd3', env: nodeEnv() });
    deleteInterface('nd3');
    assert.equal(
      listInterfaces().some(({ name }) => name === 'nd3'),
      false,
    );
    link.close();
  });

  it('errors have a code and say what was tried', () => {
    assert.throws(() => setUp('nd9'), { code: 'ENODEV', errno: -19, message: /there is no interface nd9/ });
    assert.throws(() => addAddress('lo', '10.65.0.300/24'), { code: 'EINVAL', message: /10\.65\.0\.300/ });
    assert.throws(() => addRoute('10.65.0.0/16', { via: 'x' }), { code: 'EINVAL', message: /'x'/ });
    assert.throws(() => deleteInterface('lo'), { code: 'EOPNOTSUPP', message: /delete lo/ });
  });
});
