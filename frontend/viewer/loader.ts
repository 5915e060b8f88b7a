/** Brings frames: a few at once, the nearest first, what is far from the reader's place given up, all within a budget. */

import { Cache } from './cache';
import { decodeStream, StreamDamaged } from './decoding/decoders';
import { FrameDamaged, frameOfPicture, readFrame, sampleBytes, type Frame, type FrameFacts } from './frame';
import { link } from './link';
import { aroundCentre } from './order';

export type FrameState = 'absent' | 'loading' | 'present' | 'failed';

export interface LoaderOptions {
  count: number;
  address: (place: number) => string | null;
  budget: number;
  atOnce: number;
  /** A frame's state changed, or `share` (0…1) of it is here. */
  onChange: (place: number) => void;
  /** The server no longer knows who asks. */
  onStranger?: (() => void) | undefined;
}

const UNKNOWN = 401;
const AHEAD = 400;
const RETRY_MS = [500, 1_500, 4_000, 10_000];

interface Flight {
  stop: AbortController;
  share: number;
  coarse: Frame | undefined;
}

interface Failure {
  error: unknown;
  tries: number;
  /** waiting for its next try, due again, or given up */
  stage: 'waiting' | 'due' | 'final';
}

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

/** Fetches one frame. Throws FrameFailure, FrameDamaged or an AbortError. */
export async function fetchFrame(address: string, signal: AbortSignal, arrival: Arrival): Promise<Frame> {
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
  if (ends.length === 0) return readFrame(facts, at === expected ? bytes.buffer : bytes.buffer.slice(0, at));
  if (at < expected) throw new FrameDamaged(`${at} bytes where ${expected} belong`);
  return decoded(facts, bytes, 0);
}

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
      const frame = await decoded(this.facts, this.bytes.slice(0, end), level);
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

/** Answers of a server that is busy or away; all others come again however often they are asked for. */
const PASSING = new Set([429, 502, 503, 504]);

export class FrameLoader {
  readonly #options: LoaderOptions;
  readonly #cache: Cache<number, Frame>;
  readonly #flights = new Map<number, Flight>();
  readonly #failures = new Map<number, Failure>();
  #queue: number[] = [];
  #centre = 0;
  #closed = false;
  /** The first frame has the line for itself, so that it is there soonest. */
  #alone = true;
  #offered: { place: number; frame: Frame } | null = null;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#cache = new Cache(options.budget);
  }

  frame(place: number): Frame | undefined {
    return this.#cache.get(place);
  }

  state(place: number): FrameState {
    if (this.#cache.has(place)) return 'present';
    if (this.#flights.has(place)) return 'loading';
    return this.#failures.get(place)?.stage === 'final' ? 'failed' : 'absent';
  }

  /** A coarse picture of a frame that is on its way. */
  coarse(place: number): Frame | undefined {
    return this.#flights.get(place)?.coarse ?? (this.#offered?.place === place ? this.#offered.frame : undefined);
  }

  /** Takes a coarse picture that came another way. */
  offer(place: number, frame: Frame): void {
    this.#offered = { place, frame };
    if (!this.#cache.has(place)) this.#options.onChange(place);
  }

  share(place: number): number {
    return this.#flights.get(place)?.share ?? 0;
  }

  failure(place: number): unknown {
    return this.#failures.get(place)?.error;
  }

  /** Looks at a place: it comes next, its neighbours follow, flights far away are broken off. */
  centre(place: number, way: number): void {
    this.#centre = place;
    this.#queue = aroundCentre(place, this.#options.count, way, AHEAD);
    const near = new Set(this.#queue.slice(0, this.#options.atOnce * 4));
    if (!this.#cache.has(place)) {
      for (const [other, flight] of this.#flights) if (!near.has(other)) flight.stop.abort();
    }
    this.#fly();
  }

  /** Takes more or less memory and line from now on. */
  limit(budget: number, atOnce: number): void {
    this.#options.budget = budget;
    this.#options.atOnce = atOnce;
    for (const gone of this.#cache.shrink(budget)) this.#options.onChange(gone);
    this.#fly();
  }

  /** Tries failed frames again. */
  retry(): void {
    this.#failures.clear();
    this.centre(this.#centre, 0);
  }

  close(): void {
    this.#closed = true;
    for (const flight of this.#flights.values()) flight.stop.abort();
    this.#cache.clear();
  }

  #fly(): void {
    while (!this.#closed && this.#flights.size < (this.#alone ? 1 : this.#options.atOnce)) {
      const next = this.#next();
      if (next === undefined) return;
      void this.#bring(next);
    }
  }

  #next(): number | undefined {
    for (;;) {
      const place = this.#queue.shift();
      if (place === undefined) return undefined;
      if (this.#cache.has(place) || this.#flights.has(place)) continue;
      if ((this.#failures.get(place)?.stage ?? 'due') !== 'due') continue;
      if (this.#options.address(place) === null) continue;
      if (place !== this.#centre && this.#cache.bytes > this.#options.budget * 0.92) return undefined;
      return place;
    }
  }

  async #bring(place: number): Promise<void> {
    const address = this.#options.address(place);
    if (address === null) return;
    const flight: Flight = { stop: new AbortController(), share: 0, coarse: undefined };
    this.#flights.set(place, flight);
    this.#options.onChange(place);
    try {
      const frame = await fetchFrame(address, flight.stop.signal, this.#arrivalOf(place, flight));
      if (this.#closed) return;
      this.#failures.delete(place);
      for (const gone of this.#cache.set(place, frame)) this.#options.onChange(gone);
    } catch (cause) {
      if (!flight.stop.signal.aborted) this.#fail(place, cause);
    } finally {
      this.#alone = false;
      this.#flights.delete(place);
      if (!this.#closed) {
        this.#options.onChange(place);
        this.#fly();
      }
    }
  }

  #arrivalOf(place: number, flight: Flight): Arrival {
    const tell = (): void => {
      if (place === this.#centre && !this.#closed) this.#options.onChange(place);
    };
    return {
      onShare: (share) => {
        flight.share = share;
        tell();
      },
      onCoarse: (frame) => {
        if (place !== this.#centre || flight.stop.signal.aborted) return;
        flight.coarse = frame;
        tell();
      },
    };
  }

  /** A broken line or a busy server is tried again after a while; a damaged frame or a server's fault is not. */
  #fail(place: number, error: unknown): void {
    if (error instanceof FrameFailure && error.status === UNKNOWN) this.#options.onStranger?.();
    const tries = (this.#failures.get(place)?.tries ?? 0) + 1;
    const passing = !(error instanceof FrameDamaged) && !(error instanceof FrameFailure && !PASSING.has(error.status));
    const wait = passing ? RETRY_MS[tries - 1] : undefined;
    const failure: Failure = { error, tries, stage: wait === undefined ? 'final' : 'waiting' };
    this.#failures.set(place, failure);
    if (wait === undefined) return;
    setTimeout(() => {
      if (this.#closed || this.#failures.get(place) !== failure) return;
      failure.stage = 'due';
      this.#queue.unshift(place);
      this.#fly();
    }, wait);
  }
}
