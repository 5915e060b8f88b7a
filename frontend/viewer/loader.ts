/** Brings frames: a few at once, the nearest first, what is far from the reader's place given up, all within a budget. */

import { decodeCoded, fetchCoded, FrameFailure, type Arrival, type Coded, type Fetched } from './fetching';
import { FrameDamaged, sampleBytes, type Frame } from './frame';
import { aroundCentre } from './order';
import { FrameStore } from './store';

export { fetchFrame, fetchGlimpse, FrameFailure, type Arrival, type Glimpse } from './fetching';

/** `coded`: it is here, and decoded when the reader comes near. */
export type FrameState = 'absent' | 'loading' | 'coded' | 'present' | 'failed';

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
const DECODED_AROUND = 9;
const DECODING_AT_ONCE = 4;
const RETRY_MS = [500, 1_500, 4_000, 10_000];
const LINE_MS = 10_000; // from then on, where nothing answers at all: a line comes back some time

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
  /** nothing answered at all */
  line: boolean;
}

/** Answers of a server that is busy or away; all others come again however often they are asked for. */
const PASSING = new Set([429, 502, 503, 504]);

export class FrameLoader {
  readonly #options: LoaderOptions;
  readonly #store: FrameStore;
  readonly #decoding = new Set<number>();
  readonly #flights = new Map<number, Flight>();
  readonly #apart = new AbortController();
  readonly #failures = new Map<number, Failure>();
  #queue: number[] = [];
  #around: number[] = [];
  #centre = 0;
  #closed = false;
  #resting = false;
  /** The first frame has the line for itself, so that it is there soonest. */
  #alone = true;
  #offered: { place: number; frame: Frame } | null = null;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#store = new FrameStore(options.budget);
    addEventListener('online', this.#comeAgain, { signal: this.#apart.signal });
  }

  frame(place: number): Frame | undefined {
    return this.#store.frame(place);
  }

  state(place: number): FrameState {
    if (this.#store.frame(place)) return 'present';
    if (this.#failures.get(place)?.stage === 'final') return 'failed';
    if (this.#store.has(place)) return 'coded';
    return this.#flights.has(place) ? 'loading' : 'absent';
  }

  /** A coarse picture of a frame that is on its way. */
  coarse(place: number): Frame | undefined {
    return this.#flights.get(place)?.coarse ?? (this.#offered?.place === place ? this.#offered.frame : undefined);
  }

  /** Takes a coarse picture that came another way. */
  offer(place: number, frame: Frame): void {
    this.#offered = { place, frame };
    if (!this.#store.frame(place)) this.#options.onChange(place);
  }

  /** A frame for itself, however far from the reader's place; none where it cannot be had. It is kept if there is room. */
  async apart(place: number): Promise<Frame | null> {
    const here = this.#store.frame(place);
    const address = this.#options.address(place);
    if (here || address === null || this.#closed) return here ?? null;
    try {
      const coded = this.#store.coded(place);
      const fetched = coded ? { coded } : await fetchCoded(address, this.#apart.signal, { onShare: () => undefined });
      this.#keepSpare(place, fetched);
      return 'frame' in fetched ? fetched.frame : await decodeCoded(fetched.coded);
    } catch (cause) {
      if (cause instanceof FrameFailure && cause.status === UNKNOWN && !this.#closed) this.#options.onStranger?.();
      return null; // the way in which frames that are looked at fail says why
    }
  }

  #keepSpare(place: number, fetched: Fetched): void {
    if (this.#closed || this.#store.has(place) || !this.#store.hasRoom(place, this.#centre)) return;
    if ('frame' in fetched) this.#store.keepFrame(place, fetched.frame);
    else this.#store.keepCoded(place, fetched.coded);
    this.#settle();
    this.#options.onChange(place);
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
    if (!this.#store.has(place)) {
      for (const [other, flight] of this.#flights) if (!near.has(other)) flight.stop.abort();
    }
    this.#around = aroundCentre(place, this.#options.count, way, DECODED_AROUND);
    this.#decodeNear();
    this.#fly();
  }

  /** Takes more or less memory and line from now on. */
  limit(budget: number, atOnce: number): void {
    this.#options.budget = budget;
    this.#options.atOnce = atOnce;
    this.#store.budget = budget;
    this.#settle();
    this.#fly();
  }

  /** Brings and decodes nothing until it is told to go on; what is on its way is broken off. */
  rest(resting: boolean): void {
    if (this.#resting === resting) return;
    this.#resting = resting;
    if (!resting) return this.centre(this.#centre, 0);
    for (const flight of this.#flights.values()) flight.stop.abort();
    this.#flights.clear();
  }

  /** Tries failed frames again. */
  retry(): void {
    this.#failures.clear();
    this.centre(this.#centre, 0);
  }

  close(): void {
    this.#closed = true;
    this.#apart.abort();
    for (const flight of this.#flights.values()) flight.stop.abort();
    this.#store.clear();
  }

  #fly(): void {
    while (!this.#closed && !this.#resting && this.#flights.size < (this.#alone ? 1 : this.#options.atOnce)) {
      const next = this.#next();
      if (next === undefined) return;
      void this.#bring(next);
    }
  }

  #next(): number | undefined {
    for (;;) {
      const place = this.#queue.shift();
      if (place === undefined) return undefined;
      if (this.#store.has(place) || this.#flights.has(place)) continue;
      if ((this.#failures.get(place)?.stage ?? 'due') !== 'due') continue;
      if (this.#options.address(place) === null) continue;
      if (place !== this.#centre && !this.#store.hasRoom(place, this.#centre)) return undefined;
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
      const fetched = await fetchCoded(address, flight.stop.signal, this.#arrivalOf(place, flight));
      if (this.#closed) return;
      if ('frame' in fetched) this.#store.keepFrame(place, fetched.frame);
      else await this.#takeCoded(place, fetched.coded);
      this.#failures.delete(place);
      this.#settle();
      this.#comeAgain();
    } catch (cause) {
      if (!flight.stop.signal.aborted) this.#fail(place, cause);
    } finally {
      this.#alone = false;
      if (this.#flights.get(place) === flight) this.#flights.delete(place);
      if (!this.#closed) {
        this.#options.onChange(place);
        this.#fly();
      }
    }
  }

  /** Keeps a code stream; decodes it at once if the reader is near, or as long as there is room for all. */
  async #takeCoded(place: number, coded: Coded): Promise<void> {
    this.#store.keepCoded(place, coded);
    if (!this.#store.isWanted(place, this.#centre, sampleBytes(coded.facts))) return;
    const frame = await decodeCoded(coded);
    if (!this.#closed) this.#store.keepFrame(place, frame);
  }

  /** Decodes what is here as a code stream around the reader's place, which waits for no line. */
  #decodeNear(): void {
    for (const place of this.#around) {
      if (this.#resting || this.#decoding.size >= DECODING_AT_ONCE) return;
      const coded = this.#store.coded(place);
      const due = this.#failures.get(place)?.stage !== 'final';
      if (!coded || !due || this.#store.frame(place) || this.#decoding.has(place) || this.#flights.has(place)) continue;
      void this.#decode(place, coded);
    }
  }

  async #decode(place: number, coded: Coded): Promise<void> {
    this.#decoding.add(place);
    try {
      const frame = await decodeCoded(coded);
      if (this.#closed) return;
      this.#store.keepFrame(place, frame);
      this.#settle();
    } catch (cause) {
      this.#fail(place, cause);
    } finally {
      this.#decoding.delete(place);
      if (!this.#closed) {
        this.#options.onChange(place);
        this.#decodeNear();
      }
    }
  }

  #settle(): void {
    for (const gone of this.#store.settle(this.#centre)) this.#options.onChange(gone);
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

  /** The line is back, as the browser says or an answer shows: what broke with it is tried now, the nearest first. */
  readonly #comeAgain = (): void => {
    let due = false;
    for (const failure of this.#failures.values()) {
      if (failure.stage !== 'waiting' || !failure.line) continue;
      failure.stage = 'due';
      due = true;
    }
    if (due) this.#queue = aroundCentre(this.#centre, this.#options.count, 0, AHEAD);
    this.#fly();
  };

  /** A broken line or a busy server is tried again after a while; a damaged frame or a server's fault is not. */
  #fail(place: number, error: unknown): void {
    if (error instanceof FrameFailure && error.status === UNKNOWN) this.#options.onStranger?.();
    if (error instanceof FrameDamaged) this.#store.drop(place);
    const tries = (this.#failures.get(place)?.tries ?? 0) + 1;
    const answered = error instanceof FrameDamaged || error instanceof FrameFailure;
    const passing = !answered || (error instanceof FrameFailure && PASSING.has(error.status));
    const wait = passing ? (RETRY_MS[tries - 1] ?? (answered ? undefined : LINE_MS)) : undefined;
    const failure: Failure = { error, tries, stage: wait === undefined ? 'final' : 'waiting', line: !answered };
    this.#failures.set(place, failure);
    if (wait === undefined) return;
    setTimeout(() => {
      if (this.#closed || this.#failures.get(place) !== failure || failure.stage !== 'waiting') return;
      failure.stage = 'due';
      this.#queue.unshift(place);
      this.#fly();
    }, wait);
  }
}
