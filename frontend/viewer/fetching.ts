/** Frames from the server: fetched, decoded, seen coarsely while they are on their way. */

import { decodeStream, StreamDamaged } from './decoding/decoders';
import { FrameDamaged, frameOfPicture, readFrame, sampleBytes, type Frame, type FrameFacts } from './frame';
import { link } from './link';

export class FrameFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = '',
  ) {
    super(message);
  }
}

/** What is told of a frame on its way. */
export interface Arrival {
  onShare: (share: number) => void;
  /** A coarse picture of it is here. None: no one looks at it. */
  onCoarse?: ((frame: Frame) => void) | undefined;
}

/** Where a frame of a study's first picture says whose it is. */
const WHOSE = 'X-Radrelay-Instance';

export interface Glimpse {
  instance: string;
  frame: Frame;
}

/** Fetches a coarse picture of what a study opens on; none where it opens on no picture. */
export async function fetchGlimpse(address: string): Promise<Glimpse | null> {
  const response = await fetch(address, { credentials: 'same-origin' });
  const said = response.headers.get('X-Radrelay-Frame');
  const instance = response.headers.get(WHOSE);
  if (!response.ok || !said || !instance) return null;
  return { instance, frame: readFrame(JSON.parse(said) as FrameFacts, await response.arrayBuffer()) };
}

/** What came of a frame: its samples as they are, or a code stream that is to be decoded. */
export type Fetched = { frame: Frame } | { coded: Coded };

export interface Coded {
  facts: FrameFacts;
  stream: Uint8Array<ArrayBuffer>;
  bytes: number;
}

/** Fetches one frame and decodes it. Throws FrameFailure, FrameDamaged or an AbortError. */
export async function fetchFrame(address: string, signal: AbortSignal, arrival: Arrival): Promise<Frame> {
  const fetched = await fetchCoded(address, signal, arrival);
  return 'frame' in fetched ? fetched.frame : decodeCoded(fetched.coded);
}

/** Fetches one frame as it is sent. Throws FrameFailure, FrameDamaged or an AbortError. */
export async function fetchCoded(address: string, signal: AbortSignal, arrival: Arrival): Promise<Fetched> {
  const response = await fetch(address, { signal, credentials: 'same-origin' });
  if (!response.ok) throw await failureOf(response);
  const said = response.headers.get('X-Radrelay-Frame');
  if (!said || !response.body) throw new FrameDamaged('the answer says nothing of its samples');
  const facts = JSON.parse(said) as FrameFacts;
  const ends = facts.coding === 'htj2k' ? (facts.resolution_ends ?? []) : [];
  const expected = ends.at(-1) ?? sampleBytes(facts);
  const bytes = new Uint8Array(expected);
  const glimpses = new Glimpses(facts, bytes, ends, arrival.onCoarse);
  let at = 0;
  const began = performance.now();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes.set(value.subarray(0, expected - at), at);
    at = Math.min(expected, at + value.length);
    glimpses.take(at);
    arrival.onShare(at / expected);
  }
  glimpses.end();
  link.note(at, performance.now() - began);
  if (ends.length === 0) return { frame: readFrame(facts, at === expected ? bytes.buffer : bytes.buffer.slice(0, at)) };
  if (at < expected) throw new FrameDamaged(`${at} bytes where ${expected} belong`);
  return { coded: { facts, stream: bytes, bytes: expected } };
}

/** Decodes what was fetched. Throws FrameDamaged. */
export const decodeCoded = ({ facts, stream }: Coded): Promise<Frame> => decoded(facts, stream, 0);

async function decoded(facts: FrameFacts, bytes: Uint8Array<ArrayBuffer>, level: number): Promise<Frame> {
  try {
    return frameOfPicture(facts, await decodeStream(bytes, level));
  } catch (cause) {
    if (cause instanceof StreamDamaged) throw new FrameDamaged(cause.message);
    throw cause;
  }
}

const FEWEST_COARSE = 60; // columns or rows of a coarse picture that is worth a look

/** Coarse pictures of a code stream that is still arriving, each finer than the one before. */
class Glimpses {
  #level: number;
  #busy = false;
  #over = false;

  constructor(
    readonly facts: FrameFacts,
    readonly bytes: Uint8Array<ArrayBuffer>,
    readonly ends: readonly number[],
    readonly onCoarse: ((frame: Frame) => void) | undefined,
  ) {
    this.#level = ends.length;
  }

  /** Looks at what the first `count` bytes show; the last resolution is the frame itself. */
  take(count: number): void {
    if (this.#busy || !this.onCoarse) return;
    for (let level = 1; level < Math.min(this.#level, this.ends.length); level += 1) {
      const end = this.ends[this.ends.length - 1 - level] ?? 0;
      if (count < end || Math.max(this.facts.rows, this.facts.columns) >> level < FEWEST_COARSE) continue;
      this.#level = level;
      void this.#show(level, end);
      return;
    }
  }

  end(): void {
    this.#over = true;
  }

  async #show(level: number, end: number): Promise<void> {
    this.#busy = true;
    try {
      const frame = await decoded(this.facts, this.bytes.subarray(0, end), level);
      if (!this.#over) this.onCoarse?.(frame);
    } catch {
      this.#level = 0; // what is wrong with it shows when all of it is here
    } finally {
      this.#busy = false;
    }
  }
}

async function failureOf(response: Response): Promise<FrameFailure> {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  try {
    const said = (await response.json()) as { detail?: unknown; code?: unknown };
    return new FrameFailure(response.status, text(said.detail), text(said.code));
  } catch {
    return new FrameFailure(response.status, ''); // not a problem document
  }
}
