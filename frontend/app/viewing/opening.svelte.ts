/** A study is opened as the page's address says, shown in the room, and asked for again as more of it comes. */

import { untrack } from 'svelte';
import { studies as api } from '../api/endpoints';
import type { SeriesDetail, SeriesRow, StudyDetail } from '../api/types';
import type { Target } from '../contents/target';
import { isLive } from '../state/live.svelte';
import { attempt } from '../state/notices.svelte';
import { go, search } from '../state/router.svelte';
import { checkVisit, session } from '../state/session.svelte';
import { viewAddress } from '../studies/actions.svelte';
import { fetchGlimpse } from '$viewer/loader';
import { pictured, type PriorStudies } from './priors.svelte';
import type { RoomPane, Start } from './room-pane.svelte';
import type { Room } from './room.svelte';
import { watchSight } from './sight';
import { isPicture } from './stack';

export class Opening {
  study = $state.raw<StudyDetail | null>(null);
  problem: unknown = $state.raw(undefined);
  /** It was shown, and may not be any more. */
  lost = $state(false);
  /** Moves when the study is to be asked for again. */
  #tries = $state(0);
  /** What came with the study: the series that it opens on. */
  #first: SeriesDetail | null = null;
  /** The address that the panes follow already. */
  #followed = '';
  /** The study that was hung already. */
  #hung = '';
  /** The room was left. */
  #over = false;
  readonly #studyId = $derived(search().get('study') ?? '');
  readonly #asked = $derived(search().get('series'));
  readonly ordered = $derived(pictured(this.study?.series ?? []));
  /** The series of the pane that is worked in. */
  readonly series = $derived.by(() => this.room.active.shown?.series);
  /** The study of the picture in hand: the head names it, and what is done is done with it. */
  readonly inHand = $derived.by(() => {
    const shown = this.room.active.shown?.study;
    return shown && shown.id !== this.study?.id ? shown : this.study;
  });
  /** How many pictures came since it was opened. */
  readonly arrived = $derived.by(() => {
    const fresh = this.ordered.find(({ id }) => id === this.series?.id);
    return (fresh?.instance_count ?? 0) - this.room.active.stack.instances.length;
  });
  /** The first picture is on screen, or there is none to come. */
  readonly isShown = $derived.by(() => {
    const { view, picture, problem } = this.room.active;
    if (this.study?.series.length === 0 || problem !== undefined || view?.frameState === 'failed') return true;
    return (view?.isCurrent ?? false) || (picture !== undefined && !isPicture(picture.instance));
  });

  /** To be made with the component whose life it shares. `onleave`: another study is asked for. */
  constructor(
    readonly room: Room,
    readonly priors: PriorStudies,
    onleave: () => void,
  ) {
    $effect(() => () => (this.#over = true)); // what still comes is for nobody
    $effect(() => this.#read(this.#studyId, this.#tries, onleave));

    // The series asked for, else the first; pictures come before reports and contours.
    $effect(() => {
      const { study, ordered } = this;
      if (!study || !room.panes[0]?.viewer) return;
      const wanted = ordered.find((one) => one.id === this.#asked) ?? ordered[0];
      const address = `${study.id} ${this.#asked ?? ''}`;
      if (address === this.#followed && room.active.shown) return; // panes came or went, not another address
      this.#followed = address;
      untrack(() => {
        const { shown } = room.active;
        if (wanted && wanted.id !== shown?.series.id && (this.#asked || !shown)) this.#openAt(study, wanted);
      });
    });

    // Logged in again: at the same place, with all that was refused meanwhile.
    $effect(() => {
      if (session.ended) return () => this.retry();
    });

    // The line is back: what was given up while it was away is asked for again.
    $effect(() => {
      if (!isLive()) return () => this.retry();
    });

    $effect(() => {
      const said = this.study?.description;
      document.title = said ? `${said} · Radrelay` : 'Radrelay'; // a history keeps titles: no name
    });
  }

  /** Hangs the study by protocol where nothing was asked for by name, and there is room for panes. */
  async arrange(): Promise<void> {
    const { study, room, priors } = this;
    if (!study || this.#hung === study.id) return;
    this.#hung = study.id;
    const isListed = session.isVisitor || (await priors.load(study.id)); // a link shows no other studies
    if (this.#over || !isListed) {
      if (this.#hung === study.id) this.#hung = ''; // again once the line is back
      return;
    }
    if (this.#asked || room.touched || matchMedia('(max-width: 859px)').matches) return;
    const { hang } = await import('./hang');
    await hang(room, study, priors);
  }

  open(where: RoomPane, of: StudyDetail, one: SeriesRow, start: Start = 0): void {
    const known = this.#first?.id === one.id ? this.#first : undefined;
    this.#first = null; // read afresh the next time: more may have arrived
    void where.show({ study: of, series: one }, start, known);
  }

  /** Shows all that has arrived of the series, at the same picture: what came before it moves its place. */
  renew(): void {
    const { study, series } = this;
    const { active } = this.room;
    if (study && series) this.open(active, study, series, active.standing);
  }

  /** Goes to a picture of the study, in the pane that is worked in; one that came since is read with its series. */
  jump(one: SeriesRow, start: Exclude<Start, number>): void {
    const { study } = this;
    const { active } = this.room;
    const isHere = active.shown?.series.id === one.id && active.stack.instances.some(({ id }) => id === start.instance_id);
    if (isHere) active.viewer?.go(active.stack.placeOf(start.instance_id, start.frame));
    else if (study) this.open(active, study, one, start);
  }

  /** Shows a series in the pane that is worked in; the address names those of the study itself. */
  choose = (of: StudyDetail, one: SeriesRow): void => {
    if (of.id !== this.study?.id || (one.id === this.#asked && one.id !== this.series?.id)) this.open(this.room.active, of, one);
    else go(viewAddress(of.id, one.id), true);
  };

  /** Opens a picture that a report or another object points at. */
  follow = async (target: Target): Promise<void> => {
    const where = this.room.active;
    const isWanted = where.wish();
    await attempt(async () => {
      const of = target.study_id === this.study?.id ? this.study : await this.priors.open(target.study_id);
      const one = of?.series.find(({ id }) => id === target.series_id);
      if (!of || !one || !isWanted()) return;
      await where.show({ study: of, series: one }, target);
    });
  };

  dropped = (where: RoomPane, id: string): void => {
    for (const of of this.study ? [this.study, ...this.priors.opened.values()] : []) {
      const one = of.series.find((found) => found.id === id);
      if (!one) continue;
      this.room.activate(where);
      this.choose(of, one);
    }
  };

  step(by: number): void {
    const of = this.room.active.shown?.study;
    const all = of ? pictured(of.series) : [];
    const next = all[all.findIndex((one) => one.id === this.series?.id) + by];
    if (of && next) this.choose(of, next);
  }

  /** Asks again for what could not be had. */
  retry(): void {
    if (this.#over) return;
    if (this.problem !== undefined && !this.study) this.#tries += 1;
    else this.room.retry();
    if (this.isShown) void this.arrange();
  }

  /** Reads the study, and again when more of it arrives; returns how to end that. */
  #read(id: string, tries: number, onleave: () => void): () => void {
    void tries;
    this.study = null;
    this.problem = undefined;
    this.lost = false;
    let left = false;
    const wanted = untrack(() => {
      onleave();
      this.#first = null;
      this.#hung = '';
      this.room.clear();
      this.room.studyId = id;
      this.room.touched = false;
      this.priors.clear();
      return this.#asked;
    });
    const glimpse = fetchGlimpse(api.glimpseUrl(id, wanted)).catch(() => null); // the frame itself tells what is wrong
    untrack(() => this.room.active.expect(glimpse));
    api.opening(id, wanted).then(
      (found) => {
        if (left) return;
        this.#first = found.series;
        this.study = found.study;
      },
      (cause: unknown) => {
        if (!left) this.problem = cause;
      },
    );
    const leave = watchSight(() => this.#inSight(id), {
      onfresh: (fresh) => {
        if (fresh.id !== id) return;
        if (this.lost) this.retry();
        else if (this.study) this.study = fresh;
      },
      ongone: (gone, cause) => (gone === id ? this.#lose(cause, onleave) : this.#loseOther(gone)),
    });
    return () => {
      left = true;
      leave();
    };
  }

  /** The study itself, and what of the patient's others is open beside it. */
  #inSight(id: string): string[] {
    if (session.ended) return []; // the page is hidden, and asks again once somebody is back
    return [id, ...this.priors.opened.keys(), ...this.room.panes.flatMap(({ shown }) => shown?.study.id ?? [])];
  }

  /** Nothing of the study stays on the screen or in memory. */
  #lose(cause: unknown, onleave: () => void): void {
    if (!this.study) return; // it was not shown, and why is said already
    if (session.isVisitor) void checkVisit().catch(() => undefined);
    onleave();
    this.lost = true;
    this.problem = cause;
    this.study = null;
    this.room.clear();
    this.priors.clear();
  }

  #loseOther(id: string): void {
    for (const pane of this.room.panes) if (pane.shown?.study.id === id) pane.clear();
    this.priors.lose(id);
  }

  /** Opens a series at the image that the address names, if it names one. */
  #openAt(of: StudyDetail, one: SeriesRow): void {
    const [instance, frame] = [search().get('instance'), Number(search().get('frame') ?? 1)];
    this.open(this.room.active, of, one, instance ? { instance_id: instance, frame } : 0);
  }
}
