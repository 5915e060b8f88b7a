import { describe, expect, test } from 'vitest';
import { fromText, padded, power, prove, toText, verifierOf } from './srp';

// Made by the server's own arithmetic (src/radrelay/identity/srp.py), which is checked by RFC 5054's vectors.
describe('a proof', () => {
  test('powers are those of the group', () => {
    expect(power(2n, 10n)).toBe(1024n);
    expect(power(7n, 0n)).toBe(1n);
    expect(power(123456789n, 987654321n, 1000000007n)).toBe(652541198n);
  });

  test('bytes go to text and back, with zeros in front', () => {
    const bytes = Uint8Array.from([0, 0, 251, 255, 3]);
    expect(toText(bytes)).toBe('AAD7_wM');
    expect(fromText('AAD7_wM')).toEqual(bytes);
    expect(padded(258n, 4)).toEqual(Uint8Array.from([0, 0, 1, 2]));
  });

  test('a server that asks for a proof that is easy to guess from gets none', async () => {
    const salt = toText(new Uint8Array(64).fill(7));
    const asked = { identity: 'anna', salt, iterations: 1_000, server_public: toText(padded(5n)), challenge: '', new_iterations: 210_000 };
    await expect(prove(asked, 'ein langes Kennwort')).rejects.toThrow();
    await expect(prove({ ...asked, iterations: 100_000, salt: 'AAAA' }, 'ein langes Kennwort')).rejects.toThrow();
    await expect(prove({ ...asked, iterations: 100_000, server_public: toText(padded(0n)) }, 'x')).rejects.toThrow();
    await expect(verifierOf('anna', 'ein langes Kennwort', 1_000)).rejects.toThrow();
  });
});
