/** Which series and which image a mark lies on: known of what is open, else looked for in the study's other series. */

import { SvelteMap } from 'svelte/reactivity';
import { series as seriesApi } from '../api/endpoints';
import type { SeriesDetail, SeriesRow } from '../api/types';
import { attemptQuietly } from '../state/notices.svelte';
import type { Mark } from '$viewer/marks/mark';

export interface Whereabout {
  seriesId: string;
  /** Its number, if it has one. */
  series: number | null;
  /** From 1, in display order. */
  image: number;
  frames: number;
  /** Place in the stack, from 0. */
  place: number;
  order: number;
}

export class Whereabouts {
  readonly #found = new SvelteMap<string, Whereabout>();
  readonly #read = new Set<string>();
  #looking = $state(false);
  #series: readonly SeriesRow[] = [];

  get isLooking(): boolean {
    return this.#looking;
  }

  /** Takes the study's series, in the order in which they are shown. */
  take(all: readonly SeriesRow[]): void {
    for (const one of all) {
      const before = this.#series.find(({ id }) => id === one.id);
      if (!before || before.instance_count === one.instance_count) continue;
      this.#read.delete(one.id); // more arrived: places moved
      for (const [id, at] of [...this.#found]) if (at.seriesId === one.id) this.#found.delete(id);
    }
    this.#series = all;
  }

  /** Takes note of a series that was read anyway. */
  note(detail: SeriesDetail): void {
    const at = this.#series.findIndex(({ id }) => id === detail.id);
    this.#read.add(detail.id);
    let place = 0;
    detail.instances.forEach((instance, image) => {
      const frames = instance.viewable ? Math.max(1, instance.frames) : 1;
      const series = this.#series[at]?.number ?? null;
      this.#found.set(instance.id, { seriesId: detail.id, series, image: image + 1, frames, place, order: at * 1e6 + image });
      place += frames;
    });
  }

  of(mark: Mark): (Whereabout & { place: number }) | undefined {
    const found = this.#found.get(mark.instance_id);
    return found && { ...found, place: found.place + mark.frame - 1 };
  }

  /** For sorting: by series, image, frame; what is not found yet last. */
  order(mark: Mark): number {
    const found = this.#found.get(mark.instance_id);
    return found ? found.order + mark.frame * 1e-6 : Infinity;
  }

  /** Looks for marks on pictures that are not known, one series after the other. */
  find(marks: readonly Mark[]): void {
    if (this.#looking || this.#series.every(({ id }) => this.#read.has(id))) return; // nowhere left to look
    if (marks.some((one) => !this.#found.has(one.instance_id))) void this.#look(marks);
  }

  async #look(marks: readonly Mark[]): Promise<void> {
    this.#looking = true;
    try {
      for (const { id } of this.#series) {
        if (marks.every((one) => this.#found.has(one.instance_id))) break;
        if (this.#read.has(id)) continue;
        this.#read.add(id); // once is enough, also where it fails
        await attemptQuietly(async () => this.note(await seriesApi.read(id)));
      }
    } finally {
      this.#looking = false;
    }
  }
}
