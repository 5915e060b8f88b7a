import { afterEach, describe, expect, test, vi } from 'vitest';
import { kept, keptInTab } from './kept';

afterEach(() => {
  for (const one of [kept, keptInTab]) one.removeItem('theme');
  vi.unstubAllGlobals();
});

const working = (): Storage => {
  const rows = new Map<string, string>();
  const found = {
    getItem: (name: string) => rows.get(name) ?? null,
    setItem: (name: string, value: string) => void rows.set(name, value),
    removeItem: (name: string) => void rows.delete(name),
  };
  return found as unknown as Storage;
};

describe('what the browser keeps', () => {
  test('is asked of it where it keeps something', () => {
    const [local, session] = [working(), working()];
    vi.stubGlobal('localStorage', local);
    vi.stubGlobal('sessionStorage', session);
    kept.setItem('theme', 'light');
    expect([local.getItem('theme'), session.getItem('theme'), keptInTab.getItem('theme')]).toEqual(['light', null, null]);
    local.setItem('theme', 'dark'); // by another tab
    expect(kept.getItem('theme')).toBe('dark');
    kept.removeItem('theme');
    expect(local.getItem('theme')).toBeNull();
  });

  test('lasts as long as the page in a frame where the browser refuses to be asked', () => {
    vi.stubGlobal('localStorage', undefined); // what stands there is put back after the test
    Object.defineProperty(globalThis, 'localStorage', {
      configurable: true,
      get: () => {
        throw new DOMException('Access is denied for this document.', 'SecurityError');
      },
    });
    expect(kept.getItem('theme')).toBeNull();
    kept.setItem('theme', 'light');
    expect(kept.getItem('theme')).toBe('light');
    kept.removeItem('theme');
    expect(kept.getItem('theme')).toBeNull();
  });

  test('lasts as long as the page where the browser has no room', () => {
    const full = { ...working(), setItem: () => { throw new DOMException('full', 'QuotaExceededError'); } };
    vi.stubGlobal('localStorage', full);
    kept.setItem('theme', 'light');
    expect(kept.getItem('theme')).toBe('light');
  });
});
