import { describe, expect, test } from 'vitest';
import { eventsOf, placeOn } from './events';
import { isTwelveLead, layOut, measure, stripAt, WaveSamples, type WaveGroup } from './waveform';

const LEADS = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'];

function group(leads: readonly string[], unit = 'uV', samples = 10_000, frequency = 1000): WaveGroup {
  const channels = leads.map((lead) => ({ name: lead, lead, scale: 1.25, baseline: 0, unit, unit_name: '', low_hz: null, high_hz: null, notch_hz: null }));
  return { label: '', originality: 'ORIGINAL', frequency, samples, offset_s: 0, words: 'int16', padding: -32768, channels };
}

async function filled(facts: WaveGroup): Promise<WaveSamples> {
  const samples = new WaveSamples(facts, async (start, count) => {
    const last = Math.min(start + count, facts.samples);
    const words = new Int16Array((last - start) * facts.channels.length);
    words.forEach((_, at) => (words[at] = (start + Math.floor(at / facts.channels.length)) % 800));
    return words.buffer;
  });
  await samples.load(0, facts.samples);
  return samples;
}

const settings = { speed: 25, gain: 10, layout: 'standard', from: 0, seconds: 10 } as const;

describe('a recording', () => {
  test('has values in its unit, and none where a sample stands for none', async () => {
    const samples = await filled(group(['I']));
    expect(samples.value(4, 0)).toBe(5);
    expect(samples.value(10_000, 0)).toBeNaN();
    const padded = new WaveSamples(group(['I'], 'uV', 2), async () => new Int16Array([-32768, 8]).buffer);
    await padded.load(0, 1);
    expect([padded.value(0, 0), padded.value(1, 0)]).toEqual([NaN, 10]);
  });

  test('that is long comes in pieces, each asked for once', async () => {
    const asked: number[] = [];
    const facts = group(['I'], 'uV', 5_000_000);
    const samples = new WaveSamples(facts, async (start, count) => {
      asked.push(start);
      return new Int16Array(Math.min(count, facts.samples - start)).buffer;
    });
    await Promise.all([samples.load(0, 100), samples.load(50, 2_000_000)]);
    expect(asked).toEqual([0, 1 << 20]);
    expect(samples.value(1_500_000, 0)).toBe(0);
    expect(samples.value(3_500_000, 0)).toBeNaN();
  });

  test('of twelve leads stands in three rows of four over the rhythm, 250 mm at 25 mm a second', async () => {
    const samples = await filled(group(LEADS));
    const paper = layOut(samples, settings);
    expect([paper.width, paper.strips.length]).toEqual([260, 13]);
    const aVF = paper.strips.find((one) => one.label === 'aVF');
    expect([aVF?.from, aVF?.left, aVF?.perUnit]).toEqual([2.5, 5 + 62.5, 10 / 1000]);
    expect(isTwelveLead(group(['I', 'II', 'III']))).toBe(false);
    expect(layOut(await filled(group(['I', 'II', 'III'])), settings).strips.map((one) => one.label)).toEqual(['I', 'II', 'III']);
  });

  test('is measured in milliseconds, millivolts and beats a minute', async () => {
    const samples = await filled(group(LEADS));
    const paper = layOut(samples, settings);
    const strip = stripAt(paper, 20, 20, 25);
    expect(strip?.label).toBe('I');
    if (!strip) return;
    const found = measure(samples, strip, 25, { x: 20, y: 20 }, { x: 40, y: 10 });
    expect(found.milliseconds).toBeCloseTo(800);
    expect(found.amount).toBeCloseTo(1);
    expect([found.unit, Math.round(found.rate)]).toEqual(['mV', 75]);
  });

  test('of pressures fills its row, and is measured in its own unit', async () => {
    const samples = await filled(group(['ART'], 'mm[Hg]'));
    const paper = layOut(samples, { ...settings, layout: 'rows' });
    const [strip] = paper.strips;
    expect((strip?.perUnit ?? 0) * 799 * 1.25).toBeCloseTo(24);
    if (strip) expect(measure(samples, strip, 25, { x: 5, y: 20 }, { x: 30, y: 8 }).unit).toBe('mm[Hg]');
  });
});

describe('events', () => {
  const note = (extent: string, ...seconds: number[]) => ({ channels: [], extent, seconds });
  const spans = (extent: string, ...seconds: number[]): [number, number][] => eventsOf(note(extent, ...seconds), 'x', 10).map(({ from, to }) => [from, to]);

  test('are moments and stretches as they were noted', () => {
    expect(spans('POINT', 2)).toEqual([[2, 2]]);
    expect(spans('MULTIPOINT', 1, 3)).toEqual([[1, 1], [3, 3]]);
    expect(spans('SEGMENT', 1, 3)).toEqual([[1, 3]]);
    expect(spans('MULTISEGMENT', 1, 3, 6, 5, 7)).toEqual([[1, 3], [5, 6]]);
    expect(spans('BEGIN', 4)).toEqual([[4, 10]]);
    expect(spans('END', 4)).toEqual([[0, 4]]);
    expect(spans('')).toEqual([]);
  });

  test('stand where their time is on the paper, and on no strip of another time', async () => {
    const samples = await filled(group(LEADS));
    const paper = layOut(samples, settings);
    const [first, second] = paper.strips;
    const [event] = eventsOf(note('POINT', 2.5), 'x', 10);
    if (!first || !second || !event) throw new Error('no strips');
    expect(placeOn(first, event, 25)).toBeNull(); // 0 to 2.5 s
    expect(placeOn(second, event, 25)).toEqual({ left: second.left, right: second.left });
    const [stretch] = eventsOf(note('SEGMENT', 1, 4), 'x', 10);
    if (stretch) expect(placeOn(first, stretch, 25)).toEqual({ left: first.left + 25, right: first.left + 62.5 });
  });
});
