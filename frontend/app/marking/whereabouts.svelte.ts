/** Where in its series a mark lies: the series is the mark's own word, its place there is read with the series. */

import { SvelteMap } from 'svelte/reactivity';
import { series as seriesApi } from '../api/endpoints';
import type { SeriesDetail, SeriesRow } from '../api/types';
import { attemptQuietly } from '../state/notices.svelte';
import { placesOf } from '../viewing/stack';
import type { Mark } from '$viewer/marks/mark';

export interface Whereabout {
  seriesId: string;
  /** Its number, if it has one. */
  series: number | null;
  /** None: in the volume of the series, or not known yet. */
  picture: { image: number; frames: number; place: number } | null;
}

interface Picture {
  seriesId: string;
  /** From 1, in display order. */
  image: number;
  frames: number;
  /** Place in the stack of its first frame, from 0. */
  place: number;
}

export class Whereabouts {
  readonly #pictures = new SvelteMap<string, Picture>();
  readonly #read = new Set<string>();
  #series: readonly SeriesRow[] = $state.raw([]);

  /** Takes the study's series, in the order in which they are shown. */
  take(all: readonly SeriesRow[]): void {
    for (const one of all) {
      const before = this.#series.find(({ id }) => id === one.id);
      if (!before || before.instance_count === one.instance_count) continue;
      this.#read.delete(one.id); // more arrived: places moved
      for (const [id, at] of [...this.#pictures]) if (at.seriesId === one.id) this.#pictures.delete(id);
    }
    this.#series = all;
  }

  /** Takes note of a series that was read anyway. */
  note(detail: SeriesDetail): void {
    this.#read.add(detail.id);
    let place = 0;
    detail.instances.forEach((instance, image) => {
      const frames = placesOf(instance);
      this.#pictures.set(instance.id, { seriesId: detail.id, image: image + 1, frames, place });
      place += frames;
    });
  }

  of(mark: Mark): Whereabout | undefined {
    const picture = this.#pictureOf(mark);
    const seriesId = this.#seriesOf(mark);
    const series = this.#series.find(({ id }) => id === seriesId);
    if (!series) return undefined;
    const place = picture && { ...picture, place: picture.place + (mark.frame ?? 1) - 1 };
    return { seriesId: series.id, series: series.number ?? null, picture: place ?? null };
  }

  /** For sorting: by series, image, frame; what lies in a volume after its pictures. */
  order(mark: Mark): number {
    const seriesId = this.#seriesOf(mark);
    const at = this.#series.findIndex(({ id }) => id === seriesId);
    const image = mark.space ? 1e6 - 1 : (this.#pictureOf(mark)?.image ?? 1e6 - 2);
    return at < 0 ? Infinity : at * 1e6 + image + (mark.frame ?? 0) * 1e-6;
  }

  /** Reads the series of marks whose places are not known, each once. */
  find(marks: readonly Mark[]): void {
    for (const mark of marks) {
      const { series_id: id } = mark;
      if (mark.space || !id || this.#read.has(id) || !this.#series.some((one) => one.id === id)) continue;
      this.#read.add(id); // once is enough, also where it fails
      void attemptQuietly(async () => this.note(await seriesApi.read(id)));
    }
  }

  #pictureOf(mark: Mark): Picture | undefined {
    return mark.instance_id === null ? undefined : this.#pictures.get(mark.instance_id);
  }

  #seriesOf(mark: Mark): string | undefined {
    return mark.space?.series_id ?? this.#pictureOf(mark)?.seriesId ?? mark.series_id;
  }
}
