import { beforeAll, expect, test, vi } from 'vitest';
import { fromField, toField, untilField } from './moments';

beforeAll(() => {
  vi.stubEnv('TZ', 'Europe/Berlin');
});

test('a field that nobody touched keeps its moment, also in the hour that comes twice', () => {
  for (const before of ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:42.123Z', '2026-03-29T01:30:05.000Z']) {
    expect(fromField(toField(before), before)).toBe(before);
  }
  expect(toField('2026-10-25T00:30:00Z')).toBe('2026-10-25T02:30');
  expect(toField('2026-10-25T01:30:42Z')).toBe('2026-10-25T02:30');
});

test('a field that says something else is read in the local time', () => {
  expect(fromField('2026-10-25T03:30', '2026-10-25T01:30:42Z')).toBe('2026-10-25T02:30:00.000Z');
  expect(fromField('', '2026-10-25T01:30:42Z')).toBeNull();
  expect(fromField('2026-07-01T12:00')).toBe('2026-07-01T10:00:00.000Z');
});

test('a time until now has all of the minute that runs', () => {
  expect(untilField(new Date('2026-07-01T10:00:00.001Z'))).toBe('2026-07-01T12:01');
  expect(untilField(new Date('2026-07-01T10:59:59Z'))).toBe('2026-07-01T13:00');
  expect(untilField(new Date('2026-07-01T10:00:00Z'))).toBe('2026-07-01T12:00');
});
