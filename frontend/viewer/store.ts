/**
 * Frames kept in memory within a budget: as code streams, which take a fifth of the room, and decoded around the place
 * that is looked at. What lies farthest from it goes first.
 */

import type { Coded } from './fetching';
import type { Frame } from './frame';

const NEAR = 12; // places around the reader's that stay decoded
const FULL = 0.95; // of the budget: room for what is on its way

export class FrameStore {
  readonly #frames = new Map<number, Frame>();
  readonly #coded = new Map<number, Coded>();
  #bytes = 0;

  constructor(public budget: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  frame(place: number): Frame | undefined {
    return this.#frames.get(place);
  }

  coded(place: number): Coded | undefined {
    return this.#coded.get(place);
  }

  has(place: number): boolean {
    return this.#frames.has(place) || this.#coded.has(place);
  }

  keepCoded(place: number, coded: Coded): void {
    this.#bytes += coded.bytes - (this.#coded.get(place)?.bytes ?? 0);
    this.#coded.set(place, coded);
  }

  keepFrame(place: number, frame: Frame): void {
    this.#bytes += frame.bytes - (this.#frames.get(place)?.bytes ?? 0);
    this.#frames.set(place, frame);
  }

  drop(place: number): void {
    this.#bytes -= (this.#frames.get(place)?.bytes ?? 0) + (this.#coded.get(place)?.bytes ?? 0);
    this.#frames.delete(place);
    this.#coded.delete(place);
  }

  clear(): void {
    this.#frames.clear();
    this.#coded.clear();
    this.#bytes = 0;
  }

  /** Whether a place is to stand decoded: near the reader's, or as there is room for all. */
  isWanted(place: number, centre: number, bytes: number): boolean {
    return Math.abs(place - centre) <= NEAR || this.#bytes + bytes < this.budget * FULL;
  }

  /** Whether there is room for one more frame of a place, or what lies farther would go for it. */
  hasRoom(place: number, centre: number): boolean {
    if (this.#bytes < this.budget * FULL) return true;
    return this.#farthest(this.#spare(centre), centre) >= 0 || this.#distanceOfFarthest(centre) > Math.abs(place - centre);
  }

  /** Gives up what is too much; returns the places that changed. The reader's own place stays, however large. */
  settle(centre: number): number[] {
    const changed: number[] = [];
    while (this.#bytes > this.budget) {
      const spare = this.#farthest(this.#spare(centre), centre);
      const place = spare >= 0 ? spare : this.#farthest(this.#places(), centre);
      if (place < 0 || place === centre) break;
      if (spare < 0) this.drop(place);
      else {
        this.#bytes -= this.#frames.get(place)?.bytes ?? 0;
        this.#frames.delete(place);
      }
      changed.push(place);
    }
    return changed;
  }

  /** Decoded frames that are far away and can be decoded again. */
  *#spare(centre: number): Iterable<number> {
    for (const place of this.#frames.keys()) if (this.#coded.has(place) && Math.abs(place - centre) > NEAR) yield place;
  }

  *#places(): Iterable<number> {
    yield* this.#frames.keys();
    yield* this.#coded.keys();
  }

  #distanceOfFarthest(centre: number): number {
    return Math.abs(this.#farthest(this.#places(), centre) - centre);
  }

  #farthest(places: Iterable<number>, centre: number): number {
    let found = -1;
    for (const place of places) if (found < 0 || Math.abs(place - centre) > Math.abs(found - centre)) found = place;
    return found;
  }
}
