import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { session as api } from '../api/endpoints';
import { begin, challengeFor, forget, stretchedOf } from './ahead';
import { toText, type Challenge } from './srp';

const asked: Challenge = {
  identity: 'anna',
  salt: toText(new Uint8Array(64).fill(7)),
  iterations: 100_000,
  server_public: toText(new Uint8Array(256).fill(1)),
  challenge: 'sealed',
  new_iterations: 100_000,
};
let stretchings = vi.spyOn(crypto.subtle, 'deriveBits');
let challenges = vi.spyOn(api, 'challenge');

beforeEach(() => {
  vi.stubGlobal('isSecureContext', true);
  stretchings = vi.spyOn(crypto.subtle, 'deriveBits');
  challenges = vi.spyOn(api, 'challenge').mockImplementation(async () => asked);
});

afterEach(() => {
  forget();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test('what was stretched while the person typed is not stretched again when they press the button', async () => {
  await begin('anna', 'ein langes Kennwort');
  const again = { ...asked, server_public: toText(new Uint8Array(256).fill(2)), challenge: 'another' };
  expect(await stretchedOf(again, 'ein langes Kennwort')).toBeGreaterThan(0n);
  expect(stretchings).toHaveBeenCalledTimes(1);
});

test('another password, salt or number of rounds is stretched anew', async () => {
  await begin('anna', 'ein langes Kennwort');
  const first = await stretchedOf(asked, 'ein langes Kennwort');
  expect(await stretchedOf(asked, 'ein anderes Kennwort')).not.toBe(first);
  expect(await stretchedOf({ ...asked, iterations: 100_001 }, 'ein langes Kennwort')).not.toBe(first);
  expect(await stretchedOf({ ...asked, salt: toText(new Uint8Array(64).fill(8)) }, 'ein langes Kennwort')).not.toBe(first);
});

test('of what is typed while one is stretched the last alone is stretched, and the name is asked for once', async () => {
  const first = begin('anna', 'ein');
  await Promise.all([first, begin('anna', 'ein langes'), begin('anna', 'ein langes Kennwort')]);
  expect(stretchings).toHaveBeenCalledTimes(2);
  expect(challenges).toHaveBeenCalledTimes(1);
  await stretchedOf(asked, 'ein langes Kennwort');
  expect(stretchings).toHaveBeenCalledTimes(2);
});

test('a server that does not answer, or the directory’s password, is no matter until the button is pressed', async () => {
  challenges.mockRejectedValueOnce(new Error('away'));
  await begin('anna', 'ein langes Kennwort');
  challenges.mockResolvedValue({ ...asked, salt: '' });
  await begin('anna', 'ein langes Kennwort');
  expect(challenges).toHaveBeenCalledTimes(2);
  expect(stretchings).not.toHaveBeenCalled();
});

test('who goes while the server is asked leaves nothing behind', async () => {
  const begun = begin('anna', 'ein langes Kennwort');
  forget();
  await begun;
  expect(stretchings).not.toHaveBeenCalled();
});

test('nothing is kept of who is in, and nothing is begun without cryptography', async () => {
  await begin('anna', 'ein langes Kennwort');
  forget();
  await stretchedOf(asked, 'ein langes Kennwort');
  expect(stretchings).toHaveBeenCalledTimes(2);
  vi.stubGlobal('isSecureContext', false);
  await begin('anna', 'ein ganz anderes');
  expect(challenges).toHaveBeenCalledTimes(1);
});

test('the challenge that was asked for with the name is answered once, and not when it is old', async () => {
  await begin('anna', '');
  expect(stretchings).not.toHaveBeenCalled();
  await challengeFor('anna');
  expect(challenges).toHaveBeenCalledTimes(1);
  await challengeFor('anna');
  await challengeFor('bert');
  expect(challenges).toHaveBeenCalledTimes(3);
  forget();
  await begin('anna', '');
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + 61_000);
  await challengeFor('anna');
  expect(challenges).toHaveBeenCalledTimes(5);
});
