/** What a held key leaves behind: memory that is used over and over, and never another picture's pixels in it. */

import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer, Job } from './decoding/messages';
import { Rooms } from './decoding/rooms';
import { readFrame, type FrameFacts } from './frame';
import { buildTable, paint } from './grey';
import { Look } from './look';
import { Picture } from './picture';

afterAll(() => vi.unstubAllGlobals());

const stream = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);

/** A thread as the browser's: what is handed over is gone on this side, everything else is copied. */
class Thread {
  static began: Thread[] = [];
  static jobs: { room: ArrayBuffer; bytes: number[] }[] = [];
  static copied = 0;
  #told: (event: { data: Answer }) => void = () => undefined;

  constructor() {
    Thread.began.push(this);
  }

  addEventListener(kind: string, told: (event: { data: Answer }) => void): void {
    if (kind === 'message') this.#told = told;
  }

  postMessage(job: Job, given: ArrayBuffer[] = []): void {
    if (!given.includes(job.room)) Thread.copied += job.room.byteLength;
    const { id, room, length } = structuredClone(job, { transfer: given });
    const bytes = new Uint8Array(room, 0, length);
    Thread.jobs.push({ room, bytes: [...new Set(bytes)] });
    const words = bytes.slice(0, 1).buffer;
    const picture = { words, width: 1, height: 1, components: 1, wordBits: 8, signed: false } as const;
    const said: Answer = bytes[0] === 0 ? { id, room, error: 'damaged' } : { id, room, picture };
    queueMicrotask(() => this.#told({ data: structuredClone(said, { transfer: [room, words] }) }));
  }
}

describe('code streams on their way to the threads', () => {
  beforeEach(() => {
    vi.resetModules();
    vi.stubGlobal('navigator', { hardwareConcurrency: 4 });
    vi.stubGlobal('Worker', Thread);
    Object.assign(Thread, { began: [], jobs: [], copied: 0 });
  });

  it('are handed over, not copied, and a held key makes no new memory for each', async () => {
    const { decodeStream } = await import('./decoding/decoders');
    const made = vi.fn();
    const Whole = ArrayBuffer;
    vi.stubGlobal('ArrayBuffer', class extends Whole {
      constructor(length: number) {
        made(length);
        super(length);
      }
    });
    for (let turn = 1; turn <= 40; turn += 1) {
      const { words } = await decodeStream(stream(60_000 + 100 * turn, turn));
      expect(new Uint8Array(words)[0]).toBe(turn);
    }
    vi.stubGlobal('ArrayBuffer', Whole);
    expect(Thread.copied).toBe(0);
    expect(made).toHaveBeenCalledTimes(1);
  });

  it('stay with the reader, who decodes them again', async () => {
    const { decodeStream } = await import('./decoding/decoders');
    const kept = stream(1000, 7);
    await decodeStream(kept);
    await decodeStream(kept.subarray(0, 100), 1);
    expect([...new Set(kept), kept.length]).toEqual([7, 1000]);
    expect(Thread.jobs.map(({ bytes }) => bytes)).toEqual([[7], [7]]);
  });

  it('are each their own while several are on their way, a damaged one among them', async () => {
    const { decodeStream, StreamDamaged } = await import('./decoding/decoders');
    const values = [3, 0, 5, 9, 200];
    for (let round = 0; round < 3; round += 1) {
      const found = await Promise.allSettled(values.map((value) => decodeStream(stream(500 + value, value))));
      expect(found.map((one) => (one.status === 'fulfilled' ? new Uint8Array(one.value.words)[0] : 'damaged'))).toEqual([3, 'damaged', 5, 9, 200]);
      expect(found[1]).toMatchObject({ reason: expect.any(StreamDamaged) as Error });
    }
    expect(Thread.jobs.every(({ bytes }) => bytes.length === 1)).toBe(true); // nothing of a longer one before it
  });
});

describe('rooms that wait for the next stream', () => {
  it('are used again by what fits in', () => {
    const rooms = new Rooms();
    const room = rooms.filled(stream(100_000, 1));
    expect(room.byteLength).toBeGreaterThanOrEqual(100_000);
    expect(rooms.filled(stream(10, 1))).not.toBe(room); // it is on its way
    rooms.take(room);
    expect(rooms.filled(stream(room.byteLength, 2))).toBe(room);
    rooms.take(room);
    expect(rooms.filled(stream(room.byteLength + 1, 3))).not.toBe(room);
  });

  it('keep little, and nothing of a large radiograph', () => {
    const rooms = new Rooms();
    const large = rooms.filled(stream(30 << 20, 1));
    rooms.take(large);
    expect(rooms.filled(stream(1000, 2))).not.toBe(large);
    const many = Array.from({ length: 20 }, () => rooms.filled(stream(2 << 20, 1)));
    for (const room of many) rooms.take(room);
    const again = Array.from({ length: 20 }, () => rooms.filled(stream(2 << 20, 1)));
    const kept = again.filter((room) => many.includes(room));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(8 << 20);
  });
});

const facts: FrameFacts = {
  rows: 2, columns: 2, samples: 1, bits_allocated: 16, bits_stored: 12, signed: false, photometric: 'MONOCHROME2',
  window_center: 2048, window_width: 4096,
};

/** What is put on a canvas, as long as it is there: the memory, and the grey levels. */
class Painting {
  static puts: { image: object; greys: number[] }[] = [];
  width = 0;
  height = 0;
  getContext(): object {
    const putImageData = (image: ImageData): void => {
      Painting.puts.push({ image, greys: [...new Uint32Array(image.data.buffer)].map((word) => word & 0xff) });
    };
    return { putImageData };
  }
}

class Pixels {
  readonly data: Uint8ClampedArray;
  constructor(readonly width: number, readonly height: number) {
    this.data = new Uint8ClampedArray(4 * width * height);
  }
}

describe('a picture that is scrolled', () => {
  beforeEach(() => {
    Painting.puts = [];
    vi.stubGlobal('ImageData', Pixels);
    vi.stubGlobal('document', { createElement: () => new Painting() });
  });

  const placed = (given: Partial<FrameFacts>, ...values: number[]) => ({
    place: 0,
    frame: readFrame({ ...facts, ...given }, new Uint16Array(values).buffer),
  });

  it('is painted into the same memory as the one before, every pixel anew', () => {
    const picture = new Picture();
    picture.fill(placed({}, 4095, 4095, 4095, 4095), new Look());
    picture.fill(placed({ missing: 0.5 }, 4095, 0, 0, 0), new Look());
    picture.fill(placed({}, 0, 0, 4095, 0), new Look());
    expect(new Set(Painting.puts.map(({ image }) => image)).size).toBe(1);
    expect(Painting.puts[0]?.greys).toEqual([255, 255, 255, 255]);
    expect(Painting.puts[2]?.greys).toEqual([0, 0, 255, 0]);
  });

  it('takes other memory for another size, and none once it is closed', () => {
    const picture = new Picture();
    picture.fill(placed({}, 1, 2, 3, 4), new Look());
    picture.fill(placed({ rows: 1, columns: 3 }, 1, 2, 4095), new Look());
    expect(Painting.puts[1]?.greys).toEqual([0, 0, 255]);
    picture.clear();
    picture.fill(placed({ rows: 1, columns: 3 }, 4095, 2, 1), new Look());
    expect(new Set(Painting.puts.map(({ image }) => image)).size).toBe(3);
    expect(Painting.puts[2]?.greys).toEqual([255, 0, 0]);
  });

  it('has the greys of its own window, whatever was painted with the same table before', () => {
    const windows = [{ center: 2048, width: 4096 }, { center: 10, width: 5 }];
    const shapes: Partial<FrameFacts>[] = [{}, { bits_stored: 16 }, { signed: true }, { bits_stored: 10, slope: 2, intercept: -1024 }];
    for (const shape of [...shapes, ...shapes.toReversed()]) {
      for (const window of windows) {
        const voi = { window, invert: false };
        const { frame } = placed(shape, 0, 9, 3000, 0xffff);
        const fresh = buildTable(frame, voi);
        const out = new Uint32Array(4);
        paint(frame, voi, out);
        expect([...out]).toEqual([...frame.samples].map((pattern) => fresh[pattern]));
        expect(buildTable(frame, voi, new Uint32Array(65_536).fill(0x12345678))).toEqual(fresh);
      }
    }
  });
});
