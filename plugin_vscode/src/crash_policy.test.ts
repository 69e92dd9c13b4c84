import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrashPolicy } from './crash_policy.ts';

test('five quick deaths cost less than five seconds of waiting', () => {
  const policy = new CrashPolicy();
  const waits = [1, 2, 3, 4, 5].map(() => policy.afterDeath(20_000));
  assert.ok(waits.every(wait => wait !== undefined));
  assert.ok(waits.reduce((sum: number, wait) => sum + (wait ?? 0), 0) < 5000);
});

test('a server that cannot live is given up', () => {
  const policy = new CrashPolicy();
  const waits = Array.from({ length: 20 }, () => policy.afterDeath(10));
  assert.equal(waits[0], 0);
  assert.equal(waits.at(-1), undefined);
});

test('a long life and a wish of the user clear the record', () => {
  const policy = new CrashPolicy();
  for (let i = 0; i < 20; i++) policy.afterDeath(10);
  assert.equal(policy.afterDeath(3_600_000), 0);
  for (let i = 0; i < 20; i++) policy.afterDeath(10);
  policy.forget();
  assert.equal(policy.afterDeath(10), 0);
});
