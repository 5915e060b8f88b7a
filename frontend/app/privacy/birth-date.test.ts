import { expect, test } from 'vitest';
import { partsOf, written } from './birth-date';

const of = (day: string, month: string, year: string) => written({ day, month, year }, '2026-11-26');

test('a birth date is written whole, whichever way it came', () => {
  expect(partsOf('1970-02-03')).toEqual({ day: '3', month: '2', year: '1970' });
  expect(partsOf('19700203')).toEqual(partsOf('1970-02-03'));
  expect(of('3', '2', '1970')).toEqual({ date: '19700203', wrong: '' });
  expect(of(' 29', '2', '2024 ')).toEqual({ date: '20240229', wrong: '' });
});

test('who does not know it leaves all empty; a part alone, and a day that is none, are said and not written', () => {
  expect(of(...(Object.values(partsOf('')) as [string, string, string]))).toEqual({ date: '', wrong: '' });
  expect(of('', '', '1970').wrong).toBe('partial');
  expect(of('', '5', '1970').wrong).toBe('partial');
  expect(of('3', '2', '70').wrong).toBe('short-year');
  for (const [day, month] of [['29', '2'], ['31', '4'], ['0', '5'], ['3x', '5'], ['3', '13']] as const) expect(of(day, month, '2023').wrong).toBe('no-day');
  expect(of('27', '11', '2026').wrong).toBe('future');
  expect(of('26', '11', '2026').wrong).toBe('');
});
