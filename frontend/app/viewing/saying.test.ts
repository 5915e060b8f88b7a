/** What is said in the corner of a picture, in words and numbers of the reader's language. */

import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { ReportItem } from '../api/contents';
import { valueText } from '../contents/report';
import { allWords, formatFixed, formatNumber, setLanguage } from '../i18n/index.svelte';
import { changeText, lossText, noScaleText, probeText, windowText } from './saying';
import { readFrame, type Frame, type FrameFacts } from '$viewer/frame';
import type { Quantity, Region } from '$viewer/quantity';

const facts: FrameFacts = { rows: 1, columns: 1, samples: 1, bits_allocated: 16, bits_stored: 16, signed: false, photometric: 'MONOCHROME2' };
const frame = (given: Partial<FrameFacts & Quantity>): Frame => readFrame({ ...facts, ...given }, new ArrayBuffer(2));
const pixel = (value: number, given: Partial<FrameFacts & Quantity>, modality = ''): string => probeText({ x: 3, y: 4, value }, frame(given), modality);

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: { lang: '' } });
  await setLanguage('de', false, true);
  await allWords();
});

describe('a value under the pointer', () => {
  test('of a PET that is in SUV already is said once, of one in Bq/ml in both', () => {
    expect(pixel(2.469, { suv_factor: 1, pixel_unit: '{SUVbw}g/ml' }, 'PT')).toBe('3, 4: SUV 2,47');
    expect(pixel(5000, { suv_factor: 0.001, pixel_unit: 'Bq/ml' }, 'PT')).toBe('3, 4: SUV 5 (5.000 Bq/ml)');
  });

  test('of a dose grid is said in Gy, however small it is, or as relative', () => {
    expect(pixel(1.029, { pixel_unit: 'Gy' }, 'RTDOSE')).toBe('3, 4: 1,03 Gy');
    expect(pixel(0.00123, { pixel_unit: 'Gy' }, 'RTDOSE')).toBe('3, 4: 0,0012 Gy');
    expect(pixel(0.5, { pixel_unit: '{relative}' }, 'RTDOSE')).toBe('3, 4: 0,5 rel.');
    expect(windowText({ center: 0.005, width: 0.01 }, frame({ pixel_unit: 'Gy' }))).toBe('B 0,01  M 0,005 Gy');
    expect(windowText({ center: 40, width: 400 }, frame({ pixel_unit: "[hnsf'U]" }))).toBe('B 400  M 40');
  });
});

describe('how a picture is shown', () => {
  test('says that it is turned, mirrored or inverted, and nothing of one as it was made', () => {
    expect(changeText({ angle: 0, mirrored: false, invert: false })).toBe('');
    expect(changeText({ angle: 180, mirrored: true, invert: false })).toBe('Oben und unten gespiegelt');
    expect(changeText({ angle: 90, mirrored: true, invert: true })).toBe('Links und rechts gespiegelt, um 90° gedreht · Invertiert');
  });

  test('says that it was compressed with loss, and how much', () => {
    expect([lossText(null), lossText({ ratios: [] }), lossText({ ratios: [10] }), lossText({ ratios: [5.25, 12] })]).toEqual([
      '', 'Verlustbehaftet komprimiert', 'Verlustbehaftet komprimiert 10:1', 'Verlustbehaftet komprimiert 5,3:1, 12:1',
    ]);
  });
});

test('nothing is no less than nothing', () => {
  expect([formatNumber(-0.04, 1), formatFixed(-0.001, 2), formatNumber(-0.06, 1)]).toEqual(['0', '0,00', '−0,1']);
});

test('only where no part of an ultrasound picture shows lengths is it called not calibrated', () => {
  const region = (units: Region['units']): Region => ({
    box: [0, 0, 9, 9], delta: [0.05, 0.05], units, format: 1, type: 1, reference: null, at_reference: null,
  });
  expect(noScaleText({ ...facts, regions: [region(['cm/s', 's']), region(['cm', 'cm'])] })).toBe('');
  expect(noScaleText({ ...facts, regions: [region(['s', 'cm'])] })).toBe('Nicht kalibriert: keine Längen');
  expect(noScaleText({ ...facts, regions: [] })).toBe('Nicht kalibriert: keine Längen');
  expect(noScaleText({ ...facts, pixel_spacing: [0.5, 0.5] })).toBe('');
});

test('a report’s numbers have the sign of the language before their decimals, and each digit that was written', () => {
  const number = (value: string, unit: string): string =>
    valueText({ kind: 'NUM', value, unit: { value: unit, meaning: unit, scheme: 'UCUM' } } as ReportItem);
  expect([number('1.70', 'cm2'), number('-12.5', 'mm'), number('84', 'mm')]).toEqual(['1,70\u00a0cm²', '−12,5\u00a0mm', '84\u00a0mm']);
});
