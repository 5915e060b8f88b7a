/** A second series over a volume: never one under the name of another. The room tells what it was given. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { InstanceRow, SeriesDetail, SeriesRow } from '../api/types';
import type { DrawnBlending } from '$viewer/drawings/content';
import type { Source } from '$viewer/volume/loading';
import type { Candidate } from './sources';

const asked = await vi.hoisted(async () => (await import('../viewing/bare-browser')).bareBrowser());

const { Fusion } = await import('./fusion.svelte');

const instance = (id: string, place: number, more: Partial<InstanceRow> = {}): InstanceRow => ({
  id: `${id}-${place}`, viewable: true, frames: 1, rows: 8, columns: 8, position: [0, 0, 3 * place], orientation: [1, 0, 0, 0, 1, 0], pixel_spacing: [3, 3], sop_class_uid: '', ...more,
}) as InstanceRow;

function candidate(id: string, modality: string, instances: InstanceRow[]): Candidate {
  return { series: { id, modality, number: 1, description: id } as SeriesRow, detail: { id, instances } as unknown as SeriesDetail, isSure: true };
}

const pet = candidate('pet', 'PT', [0, 1, 2, 3].map((place) => instance('pet', place)));
const capture = candidate('capture', 'SC', [0, 1, 2].map((place) => instance('capture', place, { position: [] })));
const enhanced = candidate('enhanced', 'MR', [instance('enhanced', 0, { frames: 20 })]);

/** What lies over the volume, and all that ever was asked to. */
function below() {
  const given: (Source | null)[] = [];
  return { given, get lies() { return given.at(-1)?.modality ?? null; }, openOver: async (source: Source | null) => void given.push(source) };
}

const settled = () => new Promise((done) => setTimeout(done, 5));

beforeEach(() => void asked.held.splice(0));

describe('a second series', () => {
  it('that is no volume is not said to lie there: the one before is taken away, and the reason told', async () => {
    const room = below();
    const fusion = new Fusion(room);
    await fusion.choose(pet);
    expect([fusion.over, room.lies]).toEqual([pet, 'PT']);
    await fusion.choose(capture);
    expect([fusion.over, room.lies]).toEqual([null, null]);
    expect(fusion.refused).toEqual({ candidate: capture, why: 'no-position' });
    await fusion.choose(pet);
    expect([fusion.over, fusion.refused, room.lies]).toEqual([pet, null, 'PT']);
  });

  it('whose planes are not here yet does not lend its name to the one before; nor after they cannot be had', async () => {
    const room = below();
    const fusion = new Fusion(room);
    await fusion.choose(pet);
    const choosing = fusion.choose(enhanced);
    await settled();
    expect([fusion.over, room.lies]).toEqual([enhanced, null]);
    asked.held.find(({ url }) => url.includes('/planes'))?.fail();
    await choosing;
    expect([fusion.over, room.lies]).toEqual([null, null]);
    expect(fusion.refused).toMatchObject({ candidate: enhanced, cause: { status: 503 } });
  });

  it('of several kinds is laid over by one of them, by its name, and by another that is asked for', async () => {
    const dixon = candidate('dixon', 'MR', (['water', 'fat'] as const).flatMap((kind) => [0, 1, 2, 3].map((place) => instance(kind, place, { kinds: [kind] }))));
    const room = below();
    const fusion = new Fusion(room);
    await fusion.choose(dixon);
    expect(fusion.volumes.map(({ telling }) => telling?.kinds)).toEqual([['water'], ['fat']]);
    expect(room.given.at(-1)?.choice).toBe(fusion.volume);
    const [first, second] = [fusion.choose(dixon, null, 1), fusion.choose(dixon, null, 1)];
    await Promise.all([first, second]);
    expect(fusion.volume?.telling?.kinds).toEqual(['fat']);
    expect(room.given.filter((one) => one?.choice.telling?.kinds[0] === 'fat')).toHaveLength(1); // once, however often it is asked for
    const pictures = { under: { instance_id: 'pet-0', frame: 1 }, over: { instance_id: 'fat-2', frame: 1 } };
    const saved = { series: 'dixon', blending: {} as DrawnBlending, pictures };
    await fusion.lay(saved, [dixon]);
    expect([fusion.volume?.telling?.kinds, fusion.unblended]).toEqual([['fat'], false]); // of which the saved pictures are
    await fusion.lay({ ...saved, pictures: { ...pictures, over: { instance_id: 'elsewhere-2', frame: 1 } } }, [dixon]);
    expect([fusion.over, room.lies, fusion.unblended]).toEqual([null, null, true]);
    await fusion.choose(pet);
    expect(fusion.volumes).toHaveLength(1);
  });

  it('that comes after another was chosen stays away', async () => {
    const room = below();
    const fusion = new Fusion(room);
    const choosing = fusion.choose(enhanced);
    await settled();
    await fusion.choose(pet);
    asked.held.find(({ url }) => url.includes('/planes'))?.answer({ planes: [] });
    await choosing;
    expect([fusion.over, fusion.refused, room.lies]).toEqual([pet, null, 'PT']);
  });
});
