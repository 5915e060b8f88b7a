import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { SeriesRow, StudyDetail } from '../api/types';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { framingFor, layOut, writtenOn } from './printing';
import { placing, saidOf, scaleText } from './saying';
import type { PictureSource } from './source';
import { placeIn } from '$viewer/contents/framing';
import type { Frame } from '$viewer/frame';

const source = {
  study: {
    patient: { name: 'Walk^Test', id: 'WALK1', birth_date: '1970-01-01', sex: 'F' }, description: 'Phantom of Walk', study_date: '2025-01-01',
    study_time: '10:00:00', accession_number: 'ACC77',
  } as unknown as StudyDetail,
  series: { modality: 'CT', number: 1, description: 'axial Walk' } as unknown as SeriesRow,
  count: 40,
  telling: (place: number) => (place === 39 ? 'Phase image' : ''),
} as unknown as PictureSource;
const taken = {
  frame: { facts: {} } as Frame, millimetres: 0.2, window: { center: 40, width: 400 }, angle: 0, mirrored: true, invert: true,
  edges: { left: 'L', right: 'R', top: 'A', bottom: 'P' }, bar: { millimetres: 50, pixels: 100, atDetector: false },
};

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: { lang: '' } });
  await setLanguage('en', false, true);
  await allWords();
});

describe('what is written around a picture that leaves', () => {
  test('names the patient or does not; sides, window, length and flip stand there in any case', () => {
    for (const named of [true, false]) {
      const said = saidOf(source, 29, taken, named);
      expect(said.edges).toEqual({ left: 'L', right: 'R', top: 'A', bottom: 'P' });
      expect(said.bar).toEqual({ pixels: 100, text: '5 cm', rough: false });
      expect(said.bottomRight).toEqual(['Flipped left–right · Inverted', 'W 400  L 40', '', '']);
      expect(said.bottomLeft[1]).toBe('Image 30 of 40');
      expect(saidOf(source, 39, taken, named).bottomLeft[1]).toBe('Phase image · Image 40 of 40');
      expect(JSON.stringify(said).match(/Walk|WALK1|1970|2025|ACC77/) !== null).toBe(named);
    }
  });

  test('says that lengths cannot be taken, or only at the detector', () => {
    expect(scaleText({ ...taken, bar: null })).toBe('Not calibrated: no lengths');
    expect(scaleText({ ...taken, bar: { millimetres: 50, pixels: 100, atDetector: true } })).toBe('5 cm at the detector');
  });

  test('says what was lost when the picture was compressed', () => {
    const frame = { facts: { loss: { ratios: [10] } } } as unknown as Frame;
    expect(saidOf(source, 0, { ...taken, frame }, false).bottomRight).toContain('Lossy compression 10:1');
  });

  test('letters on paper can be read at any number of pictures, and true size is kept', () => {
    for (const perPage of [1, 4, 20]) {
      const layout = layOut({ paper: 'A4', landscape: false, perPage, trueSize: false });
      const { framing } = framingFor({ width: 1024, height: 1024 }, null, layout);
      const { width, height, em } = placeIn({ width: 1024, height: 1024 }, placing(taken), framing);
      const scale = Math.min(layout.cell[0] / width, layout.cell[1] / height);
      expect(em * scale).toBeGreaterThan(2.3); // mm
    }
    const layout = layOut({ paper: 'A4', landscape: false, perPage: 1, trueSize: true });
    const fitting = (edge: number) => framingFor({ width: edge * 5, height: edge * 5 }, 0.2, layout);
    expect([fitting(100).millimetres, fitting(100).framing.inside]).toEqual([0.2, undefined]);
    expect([fitting(185).millimetres, fitting(185).framing.inside]).toEqual([0.2, true]);
    expect(fitting(250).millimetres).toBeNull();
  });
});

describe('texts of marks on paper', () => {
  test('are as high as letters that can be read, however many pictures stand on a page', () => {
    const lettersOn = (perPage: number): number => {
      const layout = layOut({ paper: 'A4', landscape: false, perPage, trueSize: false });
      return (13 / writtenOn(layout)) * Math.max(...layout.cell);
    };
    for (const perPage of [1, 2, 6, 12, 20]) expect(lettersOn(perPage)).toBeGreaterThan(2.3);
  });
});
