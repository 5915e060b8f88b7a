import { expect, it } from 'vitest';
import type { FoundStudy } from '../api/pacs';
import { isoDate } from './dates';
import { orderOf, presence } from './search.svelte';

const study: FoundStudy = {
  pacs: ['one', 'two'], disagree: false, study_uid: '1.2', patient_id: '4711', issuer: '', patient_name: '山田^太郎', birth_date: '19700101', sex: 'O',
  accession_number: '', study_date: '20260329', study_time: '', description: 'CT head', modalities: ['CT'], series: 2, instances: 10, availability: '',
  here: null, here_instances: null,
};

it('orders from the first archive that has it', () => {
  expect(orderOf(study)).toEqual({
    pacs_id: 'one', study_uid: '1.2', series_uid: '', patient_id: '4711', patient_name: '山田^太郎', description: 'CT head', study_date: '2026-03-29', modalities: ['CT'],
  });
  const series = { series_uid: '1.2.3', modality: 'SR', number: 1, description: '', body_part: '', instances: 1 };
  expect(orderOf(study, series)).toMatchObject({ series_uid: '1.2.3', description: 'CT head', modalities: ['SR'] });
});

it('says how much of a study is here', () => {
  expect(presence(study)).toBe('none');
  expect(presence({ ...study, here: 'x', here_instances: 3 })).toBe('part');
  expect(presence({ ...study, here: 'x', here_instances: 10 })).toBe('whole');
  expect(presence({ ...study, here: 'x', here_instances: 3, instances: null })).toBe('whole');
});

it('takes no date that is none', () => {
  expect(['20260230', '2026', '', '2026.03.29', '20260329x'].map(isoDate)).toEqual([null, null, null, '2026-03-29', null]);
});
