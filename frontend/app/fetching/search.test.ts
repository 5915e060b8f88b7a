import { expect, it, vi } from 'vitest';
import type { FoundStudy } from '../api/pacs';
import { isoDate } from './dates';
import { merged, orderOf, presence, Search } from './search.svelte';

const study: FoundStudy = {
  pacs: ['one', 'two'], disagree: false, study_uid: '1.2', patient_id: '4711', issuer: '', patient_name: '山田^太郎', birth_date: '19700101', sex: 'O',
  accession_number: '', study_date: '20260329', study_time: '', description: 'CT head', modalities: ['CT'], series: 2, instances: 10, availability: '',
  here: null, here_instances: null, as_of: null,
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

const ofCache: FoundStudy = { ...study, study_uid: '1.3', study_date: '20260401', as_of: '2026-04-01T06:00:00Z' };

it('lets what an archive tells take the place of what a cache told, newest first', () => {
  expect(merged([study], [{ ...study, as_of: '2026-04-01T06:00:00Z' }, ofCache]).map(({ study_uid, as_of }) => [study_uid, as_of])).toEqual([
    ['1.3', '2026-04-01T06:00:00Z'], ['1.2', null],
  ]);
});

it('shows what a cache has while the archives are asked', async () => {
  let answer: (value: Response) => void = () => undefined;
  const told = (studies: FoundStudy[]): Response => new Response(JSON.stringify({ studies, asked: [] }), { headers: { 'content-type': 'application/json' } });
  vi.stubGlobal('fetch', (_: string, { body }: { body: string }) =>
    (JSON.parse(body) as { cached: boolean }).cached ? Promise.resolve(told([ofCache])) : new Promise<Response>((resolve) => (answer = resolve)),
  );
  const search = new Search();
  const ended = search.run({ pacs: [], patient_id: '4711', patient_name: '', birth_date: null, accession_number: '', since: null, until: null, modalities: [], description: '' });
  await vi.waitFor(() => expect(search.studies.map((one) => one.study_uid)).toEqual(['1.3']));
  expect([search.busy, search.done, search.early]).toEqual([true, true, true]);
  answer(told([study]));
  await ended;
  expect([search.early, search.studies.map((one) => one.study_uid)]).toEqual([false, ['1.3', '1.2']]);
  vi.unstubAllGlobals();
});
